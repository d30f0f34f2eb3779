// A profile of a real run, from threads and from processes.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTrace } from '../unit/coordinator/monitoring/trace.ts';
import { ganglion, SMALL, scratchFolder, succeed, summaryOf } from './ganglion.ts';

const scratch = scratchFolder('profile');

describe.each(['thread', 'process'] as const)('train --profile, isolation %s', (isolation) => {
  const path = scratch(`${isolation}.json`);
  const run = scratch(isolation);
  const train = ['train', ...SMALL, '--workers', '2', '--isolation', isolation, '--steps', '8', '--run', run];

  it('has every pass of every shard of the steps, on the lanes of two replicas, and the coordinator beside them', async () => {
    await succeed([...train, '--profile', path, '--profile-steps', '3']);
    const lanes = readTrace(path);
    expect([...lanes.keys()].toSorted()).toEqual(['coordinator', 'replica 0', 'replica 1', 'steps']);
    // Half of a short run goes by before.
    const steps = lanes.get('steps') ?? [];
    expect(steps.map(({ name }) => name)).toEqual(['step 5', 'step 6', 'step 7']);

    const spans = ['replica 0', 'replica 1'].flatMap((lane) => lanes.get(lane) ?? []);
    // What was begun before it was asked for belongs to a generator pass, of which it is a part.
    const precomputed = spans.filter(({ name }) => name === 'precompute');
    const passes = spans.filter(({ name }) => name !== 'precompute');
    // On a busy machine a replica may be a straggler, whose shard another one computes too.
    const isTwice = readFileSync(join(run, 'events.jsonl'), 'utf8').includes('"straggler"');
    for (const { args } of precomputed) {
      const owners = passes.filter(
        ({ name, args: own }) => name === 'generator' && own.step === args.step && own.shard === args.shard,
      );
      expect(owners.length).toBeGreaterThanOrEqual(1);
      if (!isTwice) expect(owners).toHaveLength(1);
    }
    for (const pass of ['real', 'fake', 'generator']) {
      const shards = passes.filter(({ name, args }) => name === pass && args.step === 5).map(({ args }) => args.shard);
      expect((isTwice ? [...new Set(shards)] : shards).toSorted(), pass).toEqual([0, 1, 2, 3]);
    }
    for (const part of ['prepare', 'compute', 'copy']) {
      expect(passes.filter(({ name }) => name === part)).toHaveLength(passes.length / 4);
    }
    const count = (part: string): number => lanes.get('coordinator')?.filter(({ name }) => name === part).length ?? 0;
    expect([count('adam'), count('commit'), count('data')]).toEqual([6, 3, 3]);
    expect(count('sum')).toBe(0); // so few results are added in Adam's own pass over memory

    // On one clock: a pass is added up after it has been computed, so none ends after the last step does.
    const last = steps.at(-1);
    const ends = passes.map(({ ts, dur }) => ts + dur);
    expect(Math.max(...ends)).toBeLessThanOrEqual((last?.ts ?? 0) + (last?.dur ?? 0));
    expect(summaryOf(run).step).toBe(8);
  });
});

it('refuses a file that it cannot write before it trains, and steps without a file', async () => {
  const run = scratch('refused');
  const train = ['train', ...SMALL, '--workers', '1', '--steps', '2', '--run', run];
  const nowhere = await ganglion([...train, '--profile', scratch('none/trace.json')]);
  expect(nowhere.exitCode).toBe(1);
  expect(nowhere.stderr).toMatch(/^ganglion: cannot write .*trace\.json: no such file or directory\n$/);
  const alone = await ganglion([...train, '--profile-steps', '3']);
  expect(alone.exitCode).toBe(2);
  expect(alone.stderr).toBe('ganglion: --profile-steps 3: expected --profile FILE with it\n');
  expect(existsSync(scratch('none'))).toBe(false);
});
