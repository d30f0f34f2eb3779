// The sentence that Ganglion stands for: the weights depend on seed and config, not on the cluster. At full size, by hash.
import { beforeAll, describe, expect, it } from 'vitest';
import { oneTo, SMALL, scratchFolder, stepsOf, succeed, summaryOf } from './ganglion.ts';

const scratch = scratchFolder('invariance');
const FULL = ['--seed', '7', '--metrics-port', 'off'] as const;
const STEPS = 60;
const SHA256 = /^[0-9a-f]{64}$/;

/** Trains a new run and gives its hash. */
async function hashOf(name: string, args: readonly string[]): Promise<unknown> {
  const run = scratch(name);
  await succeed(['train', ...args, '--run', run]);
  return summaryOf(run).stateSha256;
}

describe(`${STEPS} steps at full size`, () => {
  let expected: unknown;
  beforeAll(async () => {
    expected = await hashOf('one', [...FULL, '--workers', '1', '--steps', String(STEPS)]);
    expect(expected).toMatch(SHA256);
  });

  it('give the same state with 2 workers, and again in a second process', async () => {
    const args = [...FULL, '--workers', '2', '--steps', String(STEPS)];
    expect(await hashOf('two', args)).toBe(expected);
    expect(await hashOf('again', args)).toBe(expected);
    expect(summaryOf(scratch('two'))).toMatchObject({ workers: 2, step: STEPS, lostSteps: 0, repeatedSteps: 0 });
  });

  it('give the same state with 4 workers', async () => {
    expect(await hashOf('four', [...FULL, '--workers', '4', '--steps', String(STEPS)])).toBe(expected);
    expect(summaryOf(scratch('four'))).toMatchObject({ workers: 4, step: STEPS });
  });

  it('give the same state when stopped at 30 and resumed with another number of workers', async () => {
    const run = scratch('resumed');
    await succeed(['train', ...FULL, '--workers', '2', '--steps', '30', '--run', run]);
    expect(summaryOf(run).stateSha256).not.toBe(expected);
    await succeed(['train', '--resume', run, '--workers', '4', '--steps', String(STEPS)]);
    expect(summaryOf(run)).toMatchObject({ workers: 4, step: STEPS, stateSha256: expected });
    expect(stepsOf(run)).toEqual(oneTo(STEPS));
  });
});

it('gives another state for another seed, another number of shards and another batch', async () => {
  const last = ['--workers', '1', '--steps', '2'];
  const hashes = await Promise.all([
    hashOf('base', [...SMALL, ...last]),
    hashOf('seed', [...SMALL, ...last, '--seed', '8']),
    hashOf('shards', [...SMALL, ...last, '--shards', '2']),
    hashOf('batch', [...SMALL, ...last, '--batch', '32']),
    hashOf('lr', [...SMALL, ...last, '--lr', '0.0003']),
  ]);
  for (const hash of hashes) expect(hash).toMatch(SHA256);
  expect(new Set(hashes).size).toBe(hashes.length);
});
