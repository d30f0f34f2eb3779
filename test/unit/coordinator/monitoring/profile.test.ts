import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Profile } from '../../../../coordinator/monitoring/profile.ts';
import { endedEvent, stepEvent } from '../made-up-events.ts';
import { readTrace } from './trace.ts';

let folder: string;
let path: string;
/** What `performance.now()` gives. */
let nowMs: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ganglion-profile-'));
  path = join(folder, 'trace.json');
  nowMs = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** A pass that began at that time, with parts of 1, 5 and 2 ms. */
function pass(profile: Profile, replica: number, shard: number, atMs: number): void {
  const start = (performance.timeOrigin + atMs) / 1000;
  const seconds = { start, prepare: 0.001, compute: 0.005, copy: 0.002 };
  profile.observe({ kind: 'computed', replica, shard: { step: 2, pass: 'fake', shard }, seconds });
}

/** Times to 2 microseconds: a time since 1970 in float64 seconds has a quarter of one. */
const near = (us: number) => expect.toSatisfy((got: number) => Math.abs(got - us) <= 2, `${us} microseconds`);

describe('Profile', () => {
  it('has a lane for every replica, one for the coordinator and one of steps, on one clock', () => {
    const profile = new Profile({ path, after: 2, steps: 1 });
    profile.open();
    profile.observe(stepEvent(2)); // recording begins at 1000 ms
    pass(profile, 0, 0, 1000);
    pass(profile, 1, 1, 1000.5);
    profile.observe({ kind: 'span', part: 'sum', fromMs: 1008.5, toMs: 1009 });
    nowMs = 1010;
    profile.observe(stepEvent(3, 1009));
    const lanes = readTrace(path);
    expect([...lanes.keys()].toSorted()).toEqual(['coordinator', 'replica 0', 'replica 1', 'steps']);
    const parts = (first: number) => [
      { name: 'fake', ts: near(first), dur: near(8000), args: { step: 2 } },
      { name: 'prepare', ts: near(first), dur: near(1000) },
      { name: 'compute', ts: near(first + 1000), dur: near(5000) },
      { name: 'copy', ts: near(first + 6000), dur: near(2000) },
    ];
    expect(lanes.get('replica 0')).toMatchObject(parts(0));
    expect(lanes.get('replica 1')).toMatchObject(parts(500));
    expect(lanes.get('coordinator')).toMatchObject([
      { name: 'wait', ts: 0, dur: near(8500) },
      { name: 'sum', ts: near(8500), dur: near(500) },
      { name: 'commit', ts: near(9000), dur: near(1000) },
    ]);
    const loop = { active: expect.any(Number), idle: expect.any(Number) };
    expect(lanes.get('steps')).toMatchObject([{ name: 'step 3', ts: near(0), dur: near(10_000), args: loop }]);
  });

  it('begins at zero with what had begun before recording did', () => {
    const profile = new Profile({ path, after: 0, steps: 1 });
    profile.open();
    pass(profile, 0, 0, 996);
    nowMs = 1010;
    profile.observe(stepEvent(1));
    const lanes = readTrace(path);
    expect(lanes.get('replica 0')?.[0]).toMatchObject({ ts: 0, dur: near(8000) });
    expect(lanes.get('steps')?.[0]).toMatchObject({ ts: near(4000), dur: near(10_000) });
  });

  it('records the steps asked for and no others, and writes them when they are over', () => {
    const profile = new Profile({ path, after: 2, steps: 2 });
    profile.open();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([]);
    for (let step = 1; step <= 6; step++) {
      profile.observe({ kind: 'span', part: 'adam', fromMs: nowMs, toMs: nowMs + 1 });
      nowMs += 10;
      profile.observe(stepEvent(step));
    }
    const lanes = readTrace(path);
    expect(lanes.get('steps')?.map(({ name }) => name)).toEqual(['step 3', 'step 4']);
    expect(lanes.get('coordinator')?.filter(({ name }) => name === 'adam')).toHaveLength(2);
    const written = readFileSync(path, 'utf8');
    profile.observe(endedEvent(2));
    expect(readFileSync(path, 'utf8')).toBe(written);
  });

  it('writes what there is when the run ends before', () => {
    const profile = new Profile({ path, after: 1, steps: 20 });
    profile.open();
    profile.observe(stepEvent(1));
    nowMs += 5;
    profile.observe(stepEvent(2));
    profile.observe(endedEvent(2));
    expect(
      readTrace(path)
        .get('steps')
        ?.map(({ name }) => name),
    ).toEqual(['step 2']);
  });

  it('draws spans within others, as sums while a commit waits for a picture', () => {
    const profile = new Profile({ path, after: 0, steps: 1 });
    profile.open();
    profile.observe({ kind: 'span', part: 'sum', fromMs: 1002, toMs: 1003 });
    nowMs = 1006;
    profile.observe(stepEvent(1, 1001));
    expect(
      readTrace(path)
        .get('coordinator')
        ?.map(({ name }) => name),
    ).toEqual(['wait', 'commit', 'sum']);
  });

  it('says in one line that the file cannot be written, before anything is computed', () => {
    const profile = new Profile({ path: join(folder, 'none', 'trace.json'), after: 0, steps: 1 });
    expect(() => profile.open()).toThrow(/^cannot write .*trace\.json: no such file or directory$/);
  });
});
