// A run killed at a chosen system call goes on as if it had never been killed: no log lacks a step of the checkpoint from which it does, and
// none has a step twice. These three are a sample: test/slow/kills.test.ts kills at every call,
// killed-start.test.ts in every write of a start.
import { beforeAll, expect, it } from 'vitest';
import { scratchFolder, startGanglion, succeed, summaryOf } from './ganglion.ts';
import { compileKiller, expectSameEnd, TRAIN } from './killed-run.ts';

const scratch = scratchFolder('kills');
const LIBRARY = scratch('kill-at.so');
let expected: unknown;

beforeAll(async () => {
  compileKiller(LIBRARY);
  await succeed([...TRAIN, '--run', scratch('whole')]);
  expected = summaryOf(scratch('whole')).stateSha256;
});

it.concurrent('while its folder is made, in the middle of its config: the same command begins it again', async () => {
  const run = scratch('begun'); // without the path in its name
  const command = [...TRAIN, '--run', run, '--resume', 'auto'];
  const env = { LD_PRELOAD: LIBRARY, KILL_CALL: 'write', KILL_PATH: '.config.json', KILL_WHEN: 'half' };
  expect((await startGanglion(command, { env }).ended).signal).toBe('SIGKILL');
  expect(await succeed(command)).toMatch(/^training: /);
  await expectSameEnd(run, expected);
});

it.concurrent.each([
  ['rename', 'step-00000004.safetensors', 'before', '1'],
  ['write', 'metrics.jsonl', 'half', '3'],
])('at a %s of %s, %s the call', async (call, path, when, nth) => {
  const run = scratch(`killed-${call}-${when}`);
  const env = { LD_PRELOAD: LIBRARY, KILL_CALL: call, KILL_PATH: path, KILL_WHEN: when, KILL_NTH: nth };
  const { signal } = await startGanglion([...TRAIN, '--run', run], { env }).ended;
  expect(signal).toBe('SIGKILL');
  await succeed([...TRAIN, '--run', run, '--resume', 'auto']);
  await expectSameEnd(run, expected);
});
