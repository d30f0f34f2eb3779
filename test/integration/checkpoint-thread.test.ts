// The compiled checkpoint job in its thread: the same file as without a thread, and the same errors.
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { writeCheckpoint } from '../../coordinator/checkpoints/checkpoint.ts';
import { startCheckpointThread } from '../../coordinator/checkpoints/checkpoint-thread.ts';
import { copyState, sharedState } from '../../coordinator/training/state.ts';
import { dcgan28 } from '../../shared/model/spec.ts';
import { LATENT, madeUpState } from '../unit/coordinator/made-up-state.ts';
import { errorOf } from '../unit/scratch.ts';
import { REPOSITORY, scratchFolder } from './ganglion.ts';

const scratch = scratchFolder('checkpoint-thread');
const thread = startCheckpointThread(
  pathToFileURL(join(REPOSITORY, 'dist', 'coordinator', 'checkpoints', 'checkpoint-job.js')),
);
const state = sharedState(dcgan28(LATENT));
copyState(madeUpState(12), state);

afterAll(() => thread.close());

describe('the checkpoint thread', () => {
  it('writes the file that the coordinator would, byte for byte', async () => {
    const [here, there] = [scratch('here.safetensors'), scratch('there.safetensors')];
    const expected = writeCheckpoint(here, madeUpState(12), '{"seed":1}');
    expect(await thread.write({ path: there, state, config: '{"seed":1}', ticket: null, keep: null })).toEqual(
      expected,
    );
    expect(readFileSync(there).equals(readFileSync(here))).toBe(true);
  });

  it('says why it cannot write, and leaves nothing', async () => {
    const missing = scratch('none', 'a.safetensors');
    expect(await errorOf(() => thread.write({ path: missing, state, config: '{}', ticket: null, keep: null }))).toBe(
      `environment: cannot write ${missing}: no such file or directory`,
    );
    const taken = scratch('folder');
    mkdirSync(taken);
    expect(await errorOf(() => thread.write({ path: taken, state, config: '{}', ticket: null, keep: null }))).toBe(
      `environment: cannot write ${taken}: expected a file or nothing there, got a folder`,
    );
    expect(readdirSync(scratch()).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

it('may end while it is being loaded, at any moment', async () => {
  const module = pathToFileURL(join(REPOSITORY, 'dist', 'coordinator', 'checkpoints', 'checkpoint-thread.js')).href;
  const program = `
    const { startCheckpointThread } = await import(${JSON.stringify(module)});
    for (let ms = 0; ms < 120; ms += 2) {
      const thread = startCheckpointThread();
      await new Promise((resolve) => setTimeout(resolve, ms));
      await thread.close();
    }`;
  const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  expect(stderr).toBe('');
});
