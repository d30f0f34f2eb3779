// Reads a profile back and holds it to what trace viewers expect.
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';

/** A complete event of the Trace Event Format; times in microseconds. */
export interface TraceSpan {
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args: Readonly<Record<string, number>>;
}

/** Spans by lane, in order. Checks the format, and that two spans of a lane are apart or one within the other. */
export function readTrace(path: string): Map<string, TraceSpan[]> {
  const events = JSON.parse(readFileSync(path, 'utf8'));
  const lanes = new Map<string, TraceSpan[]>();
  const names = new Map<number, string>();
  for (const event of events) {
    expect(event).toMatchObject({ pid: 1, tid: expect.any(Number), name: expect.any(String), ph: expect.any(String) });
    if (event.ph === 'M') {
      if (event.name === 'thread_name') names.set(event.tid, event.args.name);
      continue;
    }
    expect(event.ph).toBe('X');
    expect(Number.isInteger(event.ts) && Number.isInteger(event.dur)).toBe(true);
    expect(Math.min(event.ts, event.dur)).toBeGreaterThanOrEqual(0);
    const name = names.get(event.tid) ?? `unnamed lane ${event.tid}`;
    lanes.set(name, [...(lanes.get(name) ?? []), event]);
  }
  for (const [lane, spans] of lanes) {
    const open: TraceSpan[] = [];
    for (const span of spans) {
      const end = ({ ts, dur }: TraceSpan): number => ts + dur;
      while (open.length > 0 && end(open.at(-1) ?? span) <= span.ts) open.pop();
      const outer = open.at(-1);
      if (outer) expect(end(span), `${lane}: ${span.name} in ${outer.name}`).toBeLessThanOrEqual(end(outer));
      open.push(span);
    }
  }
  return lanes;
}
