// A run killed in the middle of every write by which its start changes its folder: the same command with --resume auto trains it to the same state.
// kills.test.ts kills after every call.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  expectWhole,
  ganglion,
  oneTo,
  SMALL,
  scratchFolder,
  startGanglion,
  stepsOf,
  succeed,
  summaryOf,
} from '../integration/ganglion.ts';
import { compileKiller } from '../integration/killed-run.ts';

const scratch = scratchFolder('killed-start');
const LIBRARY = scratch('kill-at.so');
const LAST = 2;
const command = (run: string): string[] => [
  ...['train', ...SMALL, '--workers', '1', '--steps', String(LAST), '--run', run, '--resume', 'auto'],
];

it('the run is the same, killed when half of each write is written', async () => {
  compileKiller(LIBRARY);
  const whole = scratch('whole');
  await succeed(command(whole));
  const expected = summaryOf(whole).stateSha256;
  let calls = 0;
  for (let begun = false; !begun; calls++) {
    const run = scratch(`half-${calls}`);
    const env = {
      ...{ LD_PRELOAD: LIBRARY, KILL_CALL: 'write', KILL_PATH: run },
      ...{ KILL_WHEN: 'half', KILL_NTH: String(calls + 1) },
    };
    const { signal } = await startGanglion(command(run), { env }).ended;
    expect(signal).toBe('SIGKILL');
    begun = existsSync(join(run, 'metrics.jsonl')); // it trains
    // A lock of which half was written is taken over after its time, with a line.
    expect((await ganglion(command(run))).exitCode).toBe(0);
    expect(summaryOf(run)).toMatchObject({ step: LAST, stateSha256: expected, lostSteps: 0, repeatedSteps: 0 });
    expect(stepsOf(run)).toEqual(oneTo(LAST));
    await expectWhole(run);
  }
  expect(calls).toBeGreaterThan(4);
});
