import { expect, it } from 'vitest';
import { type StoredEvent, Timeline } from '../../../../coordinator/run-folder/timeline.ts';

it('numbers events, stores new ones and recalls those of before', () => {
  const stored: StoredEvent[] = [];
  const timeline = new Timeline(
    (event) => stored.push(event),
    () => 77,
  );
  timeline.recall({ time: 5, step: 1, kind: 'start', text: 'training' });
  timeline.add({ kind: 'checkpoint', step: 9, text: 'checkpoint of step 9' });
  expect(stored).toEqual([{ time: 77, step: 9, kind: 'checkpoint', text: 'checkpoint of step 9' }]);
  expect(timeline.events.map(({ seq, time }) => [seq, time])).toEqual([
    [1, 5],
    [2, 77],
  ]);
});

it('gives what came after an event, as far back as it is kept', () => {
  const timeline = new Timeline();
  expect(timeline.after(0)).toEqual([]);
  for (let i = 1; i <= 100_000; i++) timeline.add({ kind: 'straggler', step: i, text: 'late' });
  expect(timeline.events.length).toBeLessThan(1000);
  expect(timeline.after(99_998)?.map(({ step }) => step)).toEqual([99_999, 100_000]);
  expect(timeline.after(100_000)).toEqual([]);
  expect(timeline.after(100)).toBeUndefined();
  expect(timeline.after(100_001)).toBeUndefined();
});
