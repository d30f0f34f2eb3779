import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventStream } from '../../../../coordinator/live/event-stream.ts';
import { madeUpRun } from './made-up-run.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A response that remembers what was written; a test may fill it up. */
class StubResponse extends EventEmitter {
  text = '';
  writableNeedDrain = false;
  destroyed = false;

  write(text: string): boolean {
    this.text += text;
    return !this.writableNeedDrain;
  }

  end(done: () => void): void {
    this.emit('close');
    done();
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }

  /** Names of the events so far. */
  get events(): string[] {
    return [...this.text.matchAll(/^event: (\w+)$/gm)].map(([, name = '']) => name);
  }

  /** Steps of all rows so far. */
  get steps(): number[] {
    const data = [...this.text.matchAll(/^data: (\{.+\})$/gm)].map(([, json = '']) => JSON.parse(json));
    return data.flatMap(({ rows = [] }) => rows.map(([step]: number[]) => step));
  }
}

function streamed(options = {}) {
  const made = madeUpRun();
  const stream = new EventStream(made.run, { now: () => Date.now(), ...options });
  const open = (id?: string, address = '::1'): StubResponse => {
    const response = new StubResponse();
    stream.add(response as unknown as ServerResponse, { address, id });
    return response;
  };
  return { ...made, stream, open };
}

describe('EventStream', () => {
  it('says reload to a new page, then what comes, at most twice a second', () => {
    const { open, step } = streamed();
    const page = open();
    expect(page.text).toMatch(/^retry: 1000\n\nid: [0-9a-f]{12}\.0\.0\nevent: reload\ndata: \{\}\n\n$/);
    for (let i = 1; i <= 40; i++) {
      step(i);
      vi.advanceTimersByTime(25);
    }
    expect(page.events).toEqual(['reload', 'update', 'update']);
    expect(page.steps).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  });

  it('goes on where a page that comes back has stopped, with every step once', () => {
    const { open, step, run } = streamed();
    step(1);
    const { cursor } = run;
    step(2);
    step(3);
    const page = open(cursor);
    expect(page.events).toEqual(['update']);
    expect(page.steps).toEqual([2, 3]);
  });

  it('says nothing while there is nothing, but a sign of life', () => {
    const { open } = streamed();
    const page = open();
    vi.advanceTimersByTime(1000); // the status
    const before = page.text.length;
    vi.advanceTimersByTime(14_000);
    expect(page.text.length).toBe(before);
    vi.advanceTimersByTime(3000);
    expect(page.text.slice(before)).toBe('event: alive\ndata:\n\n');
  });

  it('writes nothing to a page that does not read, and all that it missed when it does', () => {
    const { open, step } = streamed();
    const [slow, quick] = [open(), open()];
    slow.writableNeedDrain = true;
    const before = slow.text;
    for (let i = 1; i <= 20; i++) {
      step(i);
      vi.advanceTimersByTime(500);
    }
    expect(slow.text).toBe(before);
    expect(quick.steps).toHaveLength(20);
    slow.writableNeedDrain = false;
    vi.advanceTimersByTime(500);
    expect(slow.steps).toHaveLength(20);
    expect(slow.events).toEqual(['reload', 'update']);
  });

  it('tells a page that was stuck for too many steps to ask for everything, and cuts one off that stays stuck', () => {
    const { open, step, stream } = streamed();
    const page = open();
    page.writableNeedDrain = true;
    for (let i = 1; i <= 5000; i++) step(i);
    vi.advanceTimersByTime(30_000);
    page.writableNeedDrain = false;
    vi.advanceTimersByTime(500);
    expect(page.events).toEqual(['reload', 'reload']);
    page.writableNeedDrain = true;
    vi.advanceTimersByTime(61_000);
    expect(page.destroyed).toBe(true);
    expect(stream.pages).toBe(0);
  });

  it('does nothing when nobody looks', () => {
    const { open, stream, run } = streamed();
    const since = vi.spyOn(run, 'since');
    expect(vi.getTimerCount()).toBe(0);
    const page = open();
    expect(vi.getTimerCount()).toBe(1);
    page.emit('close');
    expect(stream.pages).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(5000);
    expect(since).toHaveBeenCalledTimes(1);
  });

  it('has room for so many pages, half of them from one address', () => {
    const { open, stream } = streamed({ mostPages: 4 });
    const page = open();
    expect(stream.hasRoomFor('::1')).toBe(true);
    open();
    expect(stream.hasRoomFor('::1')).toBe(false);
    expect(stream.hasRoomFor('::2')).toBe(true);
    open(undefined, '::2');
    open(undefined, '::3');
    expect(stream.hasRoomFor('::4')).toBe(false);
    page.emit('close');
    expect(stream.hasRoomFor('::1')).toBe(true);
    expect(stream.hasRoomFor('::4')).toBe(true);
  });

  it('tells every page the end before it lets it go', async () => {
    const { open, stream, now } = streamed();
    const page = open();
    vi.advanceTimersByTime(1000);
    now.status = { ...now.status, state: 'finished' };
    const closed = stream.close();
    await vi.advanceTimersByTimeAsync(1000);
    await closed;
    expect(page.text).toContain('"state":"finished"');
    expect(stream.pages).toBe(0);
    expect(stream.hasRoomFor('::1')).toBe(false);
  });
});
