import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventFold } from '../../../../coordinator/run-folder/event-fold.ts';
import { type RunEvent, sentenceOf } from '../../../../coordinator/run-folder/run-event.ts';
import type { FaultReason } from '../../../../shared/error.ts';
import { checkpointEvent, endedEvent, lostEvent, stepEvent, stragglerEvent } from '../made-up-events.ts';
import { madeUpRecord } from '../made-up-record.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A fold, and what it has told. */
function folded() {
  const told: RunEvent[] = [];
  const fold = new EventFold((event) => told.push(event));
  const kinds = () => told.map((event) => (event.kind === 'more' ? `${event.count} more ${event.of}` : event.kind));
  return { fold, told, kinds };
}

describe('EventFold', () => {
  it('tells the first straggler at once, then how many there were in ten seconds, as long as they go on', () => {
    const { fold, told, kinds } = folded();
    for (let ms = 0; ms < 30_000; ms += 100) {
      fold.observe(stragglerEvent(ms % 300 === 0 ? 1 : 0));
      vi.advanceTimersByTime(100);
    }
    expect(kinds()).toEqual(['straggler', '99 more straggler', '100 more straggler', '100 more straggler']);
    expect(told.slice(1, 2).map(sentenceOf)).toEqual([
      '99 more shards of stragglers were given to a second replica: replica 0 66, replica 1 33',
    ]);
    vi.advanceTimersByTime(10_000); // the row has ended
    fold.observe(stragglerEvent(2));
    expect(kinds().slice(4)).toEqual(['straggler']);
  });

  it('tells a single event that was held as it is', () => {
    const { fold, told } = folded();
    fold.observe(stragglerEvent(0));
    fold.observe(stragglerEvent(1));
    vi.advanceTimersByTime(9999);
    expect(told).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(told[1]).toEqual(stragglerEvent(1));
  });

  const record = madeUpRecord(3);
  const bad = {
    ...record,
    generator: { ...record.generator, skipped: true },
    discriminator: { ...record.discriminator, skipped: true },
  };
  const restarted = (replica: number): RunEvent => ({ kind: 'restarted', replica });
  const resized = (to: number): RunEvent => ({ kind: 'resized', from: 1, to });
  const lost = (reason: FaultReason) => lostEvent(reason);

  it.each<[string, readonly RunEvent[], string]>([
    [
      'lost',
      [lost('exit'), lost('heartbeat'), lost('exit')],
      'replicas were lost; their shards went to others: exit 2, heartbeat 1',
    ],
    ['restarted', [restarted(3), restarted(3)], 'restarts of replicas: replica 3 2'],
    ['resized', [resized(2), resized(4), resized(4)], 'changes of the number of workers: to 4 2, to 2 1'],
    [
      'checkpoint',
      [checkpointEvent(1, 1), checkpointEvent(0.25, 2 ** 20)],
      'checkpoints: the newest checkpoint of step 3, 1.0 MiB in 0.25 s',
    ],
  ])('tells the first of %s one by one, and counts the rest', (kind, events, sentence) => {
    const { fold, told, kinds } = folded();
    const [first] = events;
    if (!first) throw new Error('expected an event');
    const atOnce = kind === 'lost' || kind === 'restarted' ? 20 : 5;
    for (let i = 0; i < atOnce; i++) fold.observe(first);
    for (const event of events) fold.observe(event);
    expect(kinds()).toEqual(Array(atOnce).fill(kind));
    vi.advanceTimersByTime(10_000);
    expect(told.slice(atOnce).map(sentenceOf)).toEqual([`${events.length} more ${sentence}`]);
  });

  it('tells every step, and counts the updates that were skipped in it', () => {
    const { fold, kinds } = folded();
    for (let i = 0; i < 4; i++) fold.observe(stepEvent(bad));
    fold.observe(stepEvent(4));
    fold.flush();
    const one = ['step', 'skipped', 'skipped'];
    expect(kinds()).toEqual([...one, ...one, 'step', 'skipped', 'step', 'step', '3 more skipped']);
  });

  it('names eight at most', () => {
    const { fold, told } = folded();
    for (let replica = 0; replica < 12; replica++) fold.observe(stragglerEvent(replica));
    fold.flush();
    expect(told.slice(1).map(sentenceOf)).toEqual([expect.stringMatching(/: (replica \d 1, ){8}3 others$/)]);
  });

  it('holds nothing back at the end, and lets other kinds through in between', () => {
    const { fold, kinds } = folded();
    for (let i = 0; i < 3; i++) fold.observe(stragglerEvent());
    fold.observe({ kind: 'notice', text: 'here' });
    fold.observe(lost('exit'));
    fold.observe(endedEvent(3));
    fold.observe(stragglerEvent());
    fold.flush();
    expect(kinds()).toEqual(['straggler', 'notice', 'lost', '2 more straggler', 'ended', 'straggler']);
    expect(vi.getTimerCount()).toBe(0);
  });
});
