// A short soak: random faults, seeded, in threads and in processes; the same state as in quiet runs of the same steps beside it.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { REPOSITORY, start } from '../integration/ganglion.ts';

const SOAK = join(REPOSITORY, 'test', 'bench', 'soak.mjs');

it.each([
  ['process', '0', '180'],
  ['thread', '1', '180'],
])(
  '%s: a fault every 0.8 s on average loses no step, repeats none and changes no weight',
  async (isolation, audit, steps) => {
    const length = ['--steps', steps, '--minutes', '0.1', '--every', '0.8', '--seed', '5', '--least', '0'];
    const args = [SOAK, ...length, '--isolation', isolation, '--audit', audit, '--json'];
    const { exitCode, stdout, stderr } = await start(process.execPath, args).ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const { checks, faults, stateSha256 } = JSON.parse(stdout);
    expect(Object.values(checks)).toEqual([true, true, true, true, true, true]);
    expect(new Set(stateSha256).size).toBe(1);
    expect(Object.values<number>(faults).reduce((sum, count) => sum + count)).toBeGreaterThan(2);
  },
);
