import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { COORDINATOR_LANE, type NodeTrace, type Span, writeTrace } from '../../../../coordinator/monitoring/trace.ts';
import { scratchFolder } from '../../scratch.ts';

const reduce = (from: number, to: number): Span => ({ name: 'reduce', lane: COORDINATOR_LANE, from, to });
const replica = (from: number, to: number): Span => ({ name: 'fake', lane: 3, from, to });

/** Time and length of the spans of a name, by process. */
function written(traces: readonly NodeTrace[], name: string) {
  const path = join(scratchFolder(), 'trace.json');
  writeTrace(path, traces);
  const events: { ph: string; name: string; pid: number; ts: number; dur: number; args: { name?: string } }[] =
    JSON.parse(readFileSync(path, 'utf8'));
  const processes = events.filter((event) => event.name === 'process_name').map(({ pid, args }) => [pid, args.name]);
  const spans = events.filter((event) => event.name === name).map(({ pid, ts, dur }) => [pid, ts, dur]);
  return { processes, spans };
}

it('has a process a node; those of one machine are on its clock', () => {
  const traces: NodeTrace[] = [
    { node: 0, host: 'a', startedMs: 1000, spans: [replica(0, 50), reduce(100, 200)] },
    { node: 1, host: 'a', startedMs: 1000.5, spans: [replica(0, 60), reduce(0, 90)] },
  ];
  const { processes, spans } = written(traces, 'fake');
  expect(processes).toEqual([
    [1, 'node 0 on a'],
    [2, 'node 1 on a'],
  ]);
  expect(spans).toEqual([
    [1, 0, 50],
    [2, 500, 60],
  ]);
});

it('brings another clock to the first one by the ends of the same sums: the median tells', () => {
  const ends = [1000, 2000, 3000, 4000, 5000];
  const late = [3, 0, 400, -2, 0]; // one answer of the system was late
  const traces: NodeTrace[] = [
    { node: 0, host: 'a', startedMs: 1000, spans: [replica(0, 50), ...ends.map((end) => reduce(end - 10, end))] },
    {
      ...{ node: 1, host: 'b', startedMs: 77_000_000 },
      spans: [replica(300, 400), ...ends.map((end, i) => reduce(end - 710, end - 700 + (late[i] ?? 0)))],
    },
  ];
  expect(written(traces, 'fake').spans).toEqual([
    [1, 0, 50],
    [2, 1000, 100],
  ]);
  // A node that has recorded nothing, as it joined no sum.
  expect(written([...traces, { node: 2, host: 'c', startedMs: 5, spans: [] }], 'fake').spans).toHaveLength(2);
});
