import { describe, expect, it } from 'vitest';
import { madeUpRun, STATUS } from './made-up-run.ts';

describe('since', () => {
  it('tells a page that has seen nothing to ask for everything', () => {
    const { run, step } = madeUpRun();
    step(1);
    expect(run.since(undefined, STATUS)).toEqual({ id: `${run.session}.1.0`, event: 'reload', data: '{}' });
  });

  it('tells what has come since an id: steps, events, and the status where it is another', () => {
    const { run, step, timeline } = madeUpRun();
    step(1);
    const { cursor } = run;
    step(2);
    timeline.add({ kind: 'checkpoint', step: 2, text: 'checkpoint of step 2' });
    const message = run.since(cursor, STATUS);
    expect(message).toMatchObject({ id: `${run.session}.2.1`, event: 'update' });
    expect(JSON.parse(message?.data ?? '')).toEqual({
      status: STATUS,
      rows: [[2, 2, 0.5, 0.75, 0.25, 1, 2, 3000]],
      events: [{ seq: 1, time: 1000, step: 2, kind: 'checkpoint', text: 'checkpoint of step 2' }],
    });
    expect(JSON.parse(run.since(cursor, undefined)?.data ?? '')).not.toHaveProperty('status');
    expect(run.since(message?.id, undefined)).toBeUndefined();
  });

  it('has null where a step has no number, and few digits', () => {
    const { run } = madeUpRun();
    const { cursor } = run;
    run.history.add(1, [Number.NaN, Number.POSITIVE_INFINITY, 1 / 3, 1e-9 / 3, 0, 0, 0]);
    expect(JSON.parse(run.since(cursor, undefined)?.data ?? '').rows).toEqual([
      [1, null, null, 0.333333, 3.33333e-10, 0, 0, 0],
    ]);
  });

  it.each(['', 'x', '0123456789ab.1.0', '1.0', '__proto__'])('does not believe the id %j', (id) => {
    const { run, step } = madeUpRun();
    step(1);
    expect(run.since(id, undefined)?.event).toBe('reload');
  });

  it('says reload to who has missed more than is kept, or was told of steps that a resumed run has not done', () => {
    const { run, step } = madeUpRun();
    const early = run.cursor;
    for (let i = 1; i <= 5000; i++) step(i);
    expect(run.since(early, undefined)?.event).toBe('reload');
    expect(run.since(`${run.session}.4000.0`, undefined)?.event).toBe('update');
    expect(run.since(`${run.session}.5001.0`, undefined)?.event).toBe('reload');
    expect(run.since(`${run.session}.5000.1`, undefined)?.event).toBe('reload');
  });
});

describe('read', () => {
  it('gives every curve by its name', () => {
    const { run, step } = madeUpRun();
    step(1);
    step(2);
    const history = run.read({ from: 0, to: 9, points: 10 });
    expect(history).toMatchObject({ session: run.session, last: 2, steps: [1, 2] });
    expect(history.curves.lossD).toEqual({ mean: [1, 2], min: [1, 2], max: [1, 2] });
    expect(history.curves.imagesPerSecond.mean).toEqual([3000, 3000]);
  });
});

it('says all about the run but its curves', () => {
  const { run } = madeUpRun();
  expect(run.info).toEqual({
    session: expect.stringMatching(/^[0-9a-f]{12}$/),
    name: 'a',
    path: 'runs/a',
    batch: 10,
    config: { seed: 7 },
    summary: null,
    environment: null,
    actions: { tokenNeeded: false, mostWorkers: 4, mostPages: 0 },
    status: STATUS,
    events: [],
  });
});
