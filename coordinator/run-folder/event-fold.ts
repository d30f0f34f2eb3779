// Events of one kind in a row become one line an interval, with a count: a busy machine, a flapping replica or a bad setting would drown
// all else. Stands before the sinks that people read: the terminal, events.jsonl, and with it the live page and the report.
import { type FoldedEvent, type FoldedKind, type RunEvent, type RunSink, skippedUpdatesOf } from './run-event.ts';

/** How long events of a kind are counted before they are told. Terminals show progress twice as often. */
const INTERVAL_MS = 10_000;
/** Events of a row that are told at once, one by one: as many losses as a run survives by default in a minute. */
const AT_ONCE: Readonly<Record<FoldedKind, number>> = {
  straggler: 1,
  lost: 20,
  restarted: 20,
  skipped: 5,
  resized: 5,
  checkpoint: 5,
  page: 20,
};
/** Of whom or what a count is told at most. */
const MOST_PARTS = 8;

/** A row of events of one kind: it ends with an interval that has none. */
interface Row {
  /** Events of the interval, and those told one by one. */
  told: number;
  count: number;
  newest: FoldedEvent | undefined;
  /** How often whom or what. */
  readonly parts: Map<string, number>;
  readonly timer: NodeJS.Timeout;
}

export class EventFold implements RunSink {
  readonly #tell: (event: RunEvent) => void;
  readonly #rows = new Map<FoldedKind, Row>();

  /** @param tell receives every event that is not folded, and `more` for those that are */
  constructor(tell: (event: RunEvent) => void) {
    this.#tell = tell;
  }

  observe(event: RunEvent): void {
    switch (event.kind) {
      case 'straggler':
      case 'lost':
      case 'restarted':
      case 'skipped':
      case 'resized':
      case 'checkpoint':
      case 'page':
        this.#fold(event);
        return;
      case 'step':
        this.#tell(event);
        for (const skipped of skippedUpdatesOf(event.record)) this.#fold(skipped);
        return;
      case 'ended':
      case 'failed':
        this.flush();
        this.#tell(event);
        return;
      default:
        this.#tell(event);
    }
  }

  /** Tells what was counted so far. */
  flush(): void {
    for (const [kind, row] of this.#rows) {
      clearTimeout(row.timer);
      this.#sum(kind, row);
    }
    this.#rows.clear();
  }

  #fold(event: FoldedEvent): void {
    const row = this.#rows.get(event.kind) ?? this.#begin(event.kind, 0);
    if (row.told < AT_ONCE[event.kind]) {
      row.told += 1;
      this.#tell(event);
      return;
    }
    row.count += 1;
    row.newest = event;
    const part = partOf(event);
    if (part !== undefined) row.parts.set(part, (row.parts.get(part) ?? 0) + 1);
  }

  #begin(kind: FoldedKind, told: number): Row {
    const timer = setTimeout(() => this.#end(kind), INTERVAL_MS).unref();
    const row: Row = { told, count: 0, newest: undefined, parts: new Map(), timer };
    this.#rows.set(kind, row);
    return row;
  }

  #end(kind: FoldedKind): void {
    const row = this.#rows.get(kind);
    this.#rows.delete(kind);
    if (!row || row.count === 0) return;
    this.#begin(kind, AT_ONCE[kind]);
    this.#sum(kind, row);
  }

  #sum(of: FoldedKind, { count, newest, parts }: Row): void {
    if (!newest) return;
    this.#tell(count > 1 ? { kind: 'more', of, count, parts: largest(parts), newest } : newest);
  }
}

/** Whom or what an event is counted by: of few. Each checkpoint is another one. */
function partOf(event: FoldedEvent): string | undefined {
  switch (event.kind) {
    case 'straggler':
    case 'restarted':
      return `replica ${event.replica}`;
    case 'lost':
      return event.error.reason ?? 'error';
    case 'skipped':
      return event.phase;
    case 'resized':
      return `to ${event.to}`;
    case 'checkpoint':
    case 'page':
      return undefined;
  }
}

function largest(parts: ReadonlyMap<string, number>): string[] {
  const sorted = [...parts].toSorted(([, a], [, b]) => b - a);
  const named = sorted.slice(0, MOST_PARTS).map(([part, count]) => `${part} ${count}`);
  return sorted.length > MOST_PARTS ? [...named, `${sorted.length - MOST_PARTS} others`] : named;
}
