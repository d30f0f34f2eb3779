// A run killed after every one of its system calls that change its folder, those of its start among them, goes on by the same command as if it had
// never been killed.
import { existsSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import { scratchFolder, startGanglion, succeed, summaryOf } from '../integration/ganglion.ts';
import { compileKiller, expectSameEnd, TRAIN } from '../integration/killed-run.ts';

const scratch = scratchFolder('every-kill');
const LIBRARY = scratch('kill-at.so');
let expected: unknown;

beforeAll(async () => {
  compileKiller(LIBRARY);
  await succeed([...TRAIN, '--run', scratch('whole')]);
  expected = summaryOf(scratch('whole')).stateSha256;
});

it('at every call', async () => {
  let kills = 0;
  for (; ; kills++) {
    const run = scratch(`kill-${kills + 1}`);
    const env = {
      ...{ LD_PRELOAD: LIBRARY, KILL_CALL: 'any', KILL_PATH: run },
      ...{ KILL_WHEN: 'after', KILL_NTH: String(kills + 1) },
    };
    const command = [...TRAIN, '--run', run, '--resume', 'auto'];
    const { signal } = await startGanglion(command, { env }).ended;
    if (signal !== 'SIGKILL') break; // it has fewer calls
    // A run that is over has nothing to resume: what comes after its end is made again by itself.
    const isOver = existsSync(`${run}/summary.json`);
    const next = isOver ? ['report', run] : command;
    const { exitCode, stderr } = await startGanglion(next).ended;
    expect({ kill: kills + 1, exitCode, stderr }).toEqual({ kill: kills + 1, exitCode: 0, stderr: '' });
    await expectSameEnd(run, expected);
    expect({ kill: kills + 1, report: existsSync(`${run}/report.html`) }).toMatchObject({ report: true });
  }
  expect(kills).toBeGreaterThan(50);
});
