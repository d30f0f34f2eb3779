// A Chrome trace: "Trace Event Format", Google, JSON array. A process a node; a lane a replica, one for the coordinator, one that shows
// where steps end. A sum over nodes ends on all of them at once, but for the network's latency: by that clocks of machines are aligned.
import { writeFileAtomicSync } from '../files/atomic-file.ts';

/** A span of time, in whole microseconds since recording began. */
export interface Span {
  readonly name: string;
  readonly lane: number;
  readonly from: number;
  readonly to: number;
  readonly args?: Readonly<Record<string, number>>;
}

/** What a node has recorded. */
export interface NodeTrace {
  /** Null for a node alone. */
  readonly node: number | null;
  readonly host: string;
  /** When recording began, in milliseconds since 1970 by the machine's clock. */
  readonly startedMs: number;
  readonly spans: readonly Span[];
}

export const STEPS_LANE = 1;
export const COORDINATOR_LANE = 2;
export const FIRST_REPLICA_LANE = 3;
/** Trace viewers group lanes by process; the replicas of a node are all of one, whatever carries them. */
const PROCESS = 1;
/** Gaps below this are not drawn, in microseconds. */
const SHORTEST_GAP = 5;

/** @param traces of nodes; the first one's clock counts @throws GanglionError `environment` when the file cannot be written */
export function writeTrace(path: string, traces: readonly NodeTrace[]): void {
  const placed = traces.map((trace) => place(trace, traces[0] ?? trace));
  // What ended after recording began may have begun before.
  const spans = placed.flatMap((trace) => trace.spans);
  const zero = spans.reduce((least, { from }) => Math.min(least, from), Number.POSITIVE_INFINITY);
  const events = placed.flatMap((trace) => toTraceEvents(trace, zero));
  const text = `[\n${events.map((event) => JSON.stringify(event)).join(',\n')}\n]\n`;
  writeFileAtomicSync(path, new TextEncoder().encode(text));
}

/** A trace on the clock of another, and since that began. */
function place(trace: NodeTrace, first: NodeTrace): NodeTrace {
  const isSameClock = trace.host === first.host;
  const shift = Math.round(isSameClock ? (trace.startedMs - first.startedMs) * 1000 : shiftBySums(trace, first));
  if (shift === 0) return trace;
  const spans = trace.spans.map(({ from, to, ...span }) => ({ ...span, from: from + shift, to: to + shift }));
  return { ...trace, spans };
}

/** By how many microseconds later the same sums ended by the first one's clock: the median. Nodes record the same steps, so the same sums. */
function shiftBySums(trace: NodeTrace, first: NodeTrace): number {
  const endsOf = ({ spans }: NodeTrace): number[] => spans.filter(({ name }) => name === 'reduce').map(({ to }) => to);
  const own = endsOf(trace);
  const shifts = endsOf(first).flatMap((end, i) => (own[i] === undefined ? [] : [end - own[i]]));
  return shifts.toSorted((a, b) => a - b)[Math.floor(shifts.length / 2)] ?? 0;
}

/** The coordinator's time between its spans, in which it waits or handles messages. */
function gapsOf(spans: readonly Span[]): Span[] {
  const gaps: Span[] = [];
  let end = 0;
  for (const { from, to } of spans
    .filter(({ lane }) => lane === COORDINATOR_LANE)
    .toSorted((a, b) => a.from - b.from)) {
    if (from - end >= SHORTEST_GAP) gaps.push({ name: 'wait', lane: COORDINATOR_LANE, from: end, to: from });
    end = Math.max(end, to);
  }
  return gaps;
}

/** @param zero where the file's time begins */
function toTraceEvents({ node, host, spans }: NodeTrace, zero: number): object[] {
  const process = PROCESS + (node ?? 0);
  const all = [...spans, ...gapsOf(spans)].toSorted((a, b) => a.from - b.from || b.to - a.to);
  const lanes = [...new Set([STEPS_LANE, COORDINATOR_LANE, ...all.map(({ lane }) => lane)])].toSorted((a, b) => a - b);
  const names = new Map([
    [STEPS_LANE, 'steps'],
    [COORDINATOR_LANE, 'coordinator'],
  ]);
  const metadata = (name: string, tid: number, args: object) => ({ name, ph: 'M', pid: process, tid, args });
  return [
    metadata('process_name', STEPS_LANE, { name: node === null ? 'ganglion' : `node ${node} on ${host}` }),
    ...(node === null ? [] : [metadata('process_sort_index', STEPS_LANE, { sort_index: node })]),
    ...lanes.flatMap((lane) => [
      metadata('thread_name', lane, { name: names.get(lane) ?? `replica ${lane - FIRST_REPLICA_LANE}` }),
      metadata('thread_sort_index', lane, { sort_index: lane }),
    ]),
    ...all.map(({ name, lane: tid, from, to, args = {} }) => {
      return { name, ph: 'X', ts: from - zero, dur: to - from, pid: process, tid, args };
    }),
  ];
}
