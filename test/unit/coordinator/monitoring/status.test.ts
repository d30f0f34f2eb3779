import { describe, expect, it } from 'vitest';
import { StatusKeeper } from '../../../../coordinator/monitoring/status.ts';
import type { ReplicaStatus } from '../../../../coordinator/replicas/replica-status.ts';
import { checkpointEvent, endedEvent, stepEvent } from '../made-up-events.ts';
import { madeUpRecord } from '../made-up-record.ts';

const REPLICAS: ReplicaStatus[] = [
  {
    id: 0,
    state: 'idle',
    kind: 'thread',
    pid: 9,
    threadId: 1,
    restarts: 2,
    answered: 40,
    busySeconds: 1.5,
    shards: 9,
    shardSeconds: 0.02,
  },
  {
    id: 1,
    state: 'busy',
    kind: 'thread',
    pid: 9,
    threadId: 2,
    restarts: 1,
    answered: 30,
    busySeconds: 1.25,
    shards: 9,
    shardSeconds: 0.02,
  },
];

function keeperAt(startMs = 0) {
  const clock = { ms: startMs };
  const options = {
    run: 'runs/a',
    backend: 'wasm' as const,
    step: 40,
    epoch: 2,
    steps: 100,
    batch: 10,
    table: { nodes: [], replicas: REPLICAS },
  };
  const keeper = new StatusKeeper(options, () => clock.ms);
  return { keeper, clock };
}

describe('StatusKeeper', () => {
  it('knows before the first step where the run begins', () => {
    expect(keeperAt().keeper.status).toEqual({
      state: 'starting',
      healthy: true,
      run: 'runs/a',
      backend: 'wasm',
      step: 40,
      steps: 100,
      epoch: 2,
      imagesPerSecond: 0,
      losses: null,
      outputs: null,
      restarts: 3,
      replicas: REPLICAS,
      nodes: [],
      checkpoint: null,
    });
  });

  it('follows steps and checkpoints', () => {
    const { keeper, clock } = keeperAt();
    keeper.observe({ kind: 'training' });
    clock.ms = 500;
    keeper.observe(stepEvent(madeUpRecord(41, 3)));
    keeper.observe(checkpointEvent(0.1, 1));
    expect(keeper.status).toMatchObject({
      state: 'training',
      step: 41,
      epoch: 3,
      imagesPerSecond: 20, // 10 images in half a second
      losses: { discriminator: 1.5, generator: 0.25 },
      outputs: { real: 0.75, fake: 0.25 },
      checkpoint: 'c.safetensors',
    });
  });

  it('averages the speed over the newest 50 steps', () => {
    const { keeper, clock } = keeperAt(1000);
    keeper.observe({ kind: 'training' });
    // 20 steps of one second, then 50 of a tenth of a second: the slow ones leave the window one by one.
    const speeds: number[] = [];
    for (let step = 1; step <= 70; step++) {
      clock.ms += step <= 20 ? 1000 : 100;
      keeper.observe(stepEvent(madeUpRecord(step)));
      speeds.push(keeper.imagesPerSecond);
    }
    expect(speeds[19]).toBeCloseTo(10, 9);
    expect(speeds[49]).toBeCloseTo((50 * 10) / 23, 9); // 20 s and 30 * 0.1 s
    expect(speeds[50]).toBeCloseTo((50 * 10) / 22.1, 9); // one slow step less, one fast step more
    expect(speeds[69]).toBeCloseTo(100, 9);
  });

  it('does not count the time before training', () => {
    const { keeper, clock } = keeperAt();
    clock.ms = 60_000;
    keeper.observe({ kind: 'training' });
    clock.ms = 61_000;
    keeper.observe(stepEvent(madeUpRecord(41)));
    expect(keeper.imagesPerSecond).toBe(10);
  });

  it('is unhealthy when training has made no step for a minute, and healthy again with the next', () => {
    const { keeper, clock } = keeperAt();
    const healthyAt = (ms: number): boolean => {
      clock.ms = ms;
      return keeper.status.healthy;
    };
    expect(healthyAt(1e9)).toBe(true); // starting: the library may have to be compiled
    keeper.observe({ kind: 'training' });
    expect(healthyAt(1e9 + 59_999)).toBe(true);
    expect(healthyAt(1e9 + 60_000)).toBe(false);
    keeper.observe(stepEvent(madeUpRecord(41)));
    expect(keeper.status.healthy).toBe(true);
    expect(healthyAt(1e9 + 120_000)).toBe(false);
    keeper.observe({ kind: 'repeated' }); // a step that is computed again
    expect(healthyAt(1e9 + 179_999)).toBe(true);
    expect(healthyAt(1e9 + 180_000)).toBe(false);
    keeper.observe(endedEvent(9));
    expect(healthyAt(1e9 + 999_999)).toBe(true);
  });
});
