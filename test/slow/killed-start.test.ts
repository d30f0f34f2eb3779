// A run killed at every call by which its start changes its folder: the same command with --resume auto trains it to the same state.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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

const scratch = scratchFolder('killed-start');
const LIBRARY = scratch('kill-at.so');
const LAST = 2;
const command = (run: string): string[] => [
  ...['train', ...SMALL, '--workers', '1', '--steps', String(LAST), '--run', run, '--resume', 'auto'],
];

it.each(['after', 'half'])('the run is the same, killed %s each call', { timeout: 1_200_000 }, async (when) => {
  execFileSync('cc', [
    '-shared',
    '-fPIC',
    '-o',
    LIBRARY,
    fileURLToPath(new URL('../fixtures/kill-at.c', import.meta.url)),
    '-ldl',
  ]);
  const whole = scratch(`whole-${when}`);
  await succeed(command(whole));
  const expected = summaryOf(whole).stateSha256;
  let calls = 0;
  for (let begun = false; !begun; calls++) {
    const run = scratch(`${when}-${calls}`);
    const env = {
      ...{ LD_PRELOAD: LIBRARY, KILL_CALL: when === 'half' ? 'write' : 'any', KILL_PATH: run },
      ...{ KILL_WHEN: when, KILL_NTH: String(calls + 1) },
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
  expect(calls).toBeGreaterThan(when === 'half' ? 4 : 12);
});
