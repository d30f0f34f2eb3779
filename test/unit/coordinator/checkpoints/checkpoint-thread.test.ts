import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startCheckpointThread } from '../../../../coordinator/checkpoints/checkpoint-thread.ts';
import { copyState, sharedState } from '../../../../coordinator/training/state.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { errorOf } from '../../scratch.ts';
import { LATENT, madeUpState } from '../made-up-state.ts';

const JOBS = new URL('../../../fixtures/checkpoint-jobs.mjs', import.meta.url);
const THROWS = new URL('../../../fixtures/checkpoint-no-job.mjs', import.meta.url);
const EXITS = new URL('../../../fixtures/checkpoint-silent-exit.mjs', import.meta.url);

function threadOf(entry: URL) {
  const thread = startCheckpointThread(entry);
  onTestFinished(() => thread.close());
  const state = sharedState(dcgan28(LATENT));
  copyState(madeUpState(9), state);
  const write = (path: string) => thread.write({ path, state, config: 'c', ticket: null, keep: null });
  return { thread, state, write };
}

describe('startCheckpointThread', () => {
  it('hands the state over without a copy', async () => {
    const { state, write } = threadOf(JOBS);
    state.generator.adam.m[1] = 0.25;
    expect(await write('a')).toEqual({ bytes: 9, sha256: 'c 0.25' });
    expect(state.generator.parameters[0]).toBe(5); // the thread's mark
    state.step = 10;
    expect(await write('a')).toEqual({ bytes: 10, sha256: 'c 0.25' });
  });

  it('passes on why a checkpoint cannot be written, and writes the next', async () => {
    const { write } = threadOf(JOBS);
    expect(await errorOf(() => write('refuse'))).toBe('environment: cannot write refuse: disk full');
    expect(await write('a')).toMatchObject({ bytes: 9 });
  });

  it('passes a bug on as it is', async () => {
    await expect(threadOf(JOBS).write('throw')).rejects.toThrow(new TypeError('a bug'));
  });

  it.each([
    ['exit', 'worker exited with code: 7'],
    ['throw later', 'out of luck'],
  ])('says that the thread has died of %s, and has another one for the next', async (path, reason) => {
    const { write } = threadOf(JOBS);
    expect(await errorOf(() => write(path))).toBe(
      `environment: cannot write ${path}: the thread that writes it ended: ${reason}`,
    );
    expect(await write('a')).toMatchObject({ bytes: 9 });
  });

  it.each([
    ['it throws', THROWS, 'cannot even start'],
    ['it exits', EXITS, /^(worker exited with code: 0|no reason known)$/],
    ['it is missing', pathToFileURL('/none/none.mjs'), /^Cannot find module .*none\.mjs/],
  ])('says so, each time, when the thread does not start: %s', async (_, entry, reason) => {
    const { write } = threadOf(entry);
    for (let i = 0; i < 3; i++) {
      const error = await errorOf(() => write('a'));
      const start = 'environment: cannot write a: the thread that writes it ended: ';
      expect(error.slice(0, start.length)).toBe(start);
      if (typeof reason === 'string') expect(error.slice(start.length)).toBe(reason);
      else expect(error.slice(start.length)).toMatch(reason);
    }
  });

  it('ends a thread that is idle, and one that never worked', async () => {
    const { thread, write } = threadOf(JOBS);
    await write('a');
    await thread.close();
    const unused = startCheckpointThread(JOBS);
    await unused.close();
  });
});
