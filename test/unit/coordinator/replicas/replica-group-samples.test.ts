import { describe, expect, it } from 'vitest';
import { settled, stubGroup } from './stub-replicas.ts';

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

const JOB = { seed: 1, count: 3, statistics: 'batch' } as const;

describe('sample', () => {
  it('draws on one replica, before the shards that wait', async () => {
    const { group, starter, compute } = await stubGroup(1);
    const computed = compute(4);
    let draw = (): void => {};
    const [replica] = starter.started;
    if (replica) {
      replica.onSample = ({ count }) => new Promise((resolve) => (draw = () => resolve(new Float32Array(count))));
    }
    const drawn = group.sample(JOB);
    expect(replica?.samples).toEqual([]); // it has three shards in hand
    starter.next().answer();
    await settled();
    expect(replica?.samples).toEqual([JOB]);
    expect(starter.pairs).toEqual([
      [0, 1],
      [0, 2],
      [0, 3],
    ]);
    for (const _ of range(2)) {
      starter.next().answer();
      await settled();
    }
    draw();
    expect(await drawn).toEqual(new Float32Array(3));
    await starter.answerAll();
    await computed;
  });

  it('takes the images when they overtake the shards before them', async () => {
    const { group, starter, compute } = await stubGroup(1);
    const computed = compute(2);
    expect(await group.sample(JOB)).toEqual(new Float32Array(3));
    expect(starter.pairs).toEqual([
      [0, 0],
      [0, 1],
    ]);
    await starter.answerAll();
    await computed;
  });

  it('goes on with another replica, and the failed one is restarted', async () => {
    const { group, starter, observed } = await stubGroup(2);
    const [first, second] = starter.started;
    if (first) first.onSample = () => Promise.reject(new Error('lost'));
    expect(await group.sample(JOB)).toEqual(new Float32Array(3));
    expect(observed.faults.map(({ message }) => message)).toEqual(['replica 0 failed: lost']);
    expect(group.restarts).toBe(1);
    expect(second?.samples).toEqual([JOB]);
    await group.stop();
  });

  it('goes on with the restarted replica when it is the only one', async () => {
    const { group, starter, observed } = await stubGroup(1);
    for (const replica of starter.started) replica.onSample = () => Promise.reject(new Error('lost'));
    expect(await group.sample(JOB)).toEqual(new Float32Array(3));
    expect(observed.faults.length).toBe(1);
    expect(starter.started[1]?.samples).toEqual([JOB]);
  });

  it('says that no replica is left after the end, also when it was waiting for one', async () => {
    const { group, compute } = await stubGroup(1);
    void compute(3);
    const waiting = expect(group.sample(JOB)).rejects.toThrow('no replica is left to draw samples');
    await group.stop();
    await waiting;
    const message = 'no replica is left to draw samples';
    await expect(group.sample(JOB)).rejects.toMatchObject({ code: 'replica', message });
  });

  it('is not left waiting by the end of the replica that draws', async () => {
    const { group, starter } = await stubGroup(1);
    const [replica] = starter.started;
    let fail = (): void => {};
    if (replica) {
      replica.onSample = () => new Promise((_, reject) => (fail = () => reject(new Error('it has ended'))));
      replica.onStop = async () => fail();
    }
    const drawing = expect(group.sample(JOB)).rejects.toThrow('it has ended');
    await group.stop();
    await drawing;
  });
});
