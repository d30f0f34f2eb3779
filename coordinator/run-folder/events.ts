// events.jsonl: what has happened in a run, one event a line, for its timeline.
import { messageOf } from '../../shared/error.ts';
import { EVENT_KINDS, type EventKind } from '../../shared/live-protocol.ts';
import { dropRecords, JsonLines, readJsonLines } from '../files/json-lines.ts';
import type { Environment } from './environment.ts';
import { type FoldedKind, type RunEvent, type RunSink, sentenceOf } from './run-event.ts';
import { type StoredEvent, Timeline } from './timeline.ts';

/** Milliseconds from 1970 to the last time that a Date can name. */
const MOST_TIME = 8.64e15;

export interface EventLogOptions {
  /** Steps done before this process. */
  readonly step: number;
  /** Called once when events.jsonl cannot be read or written; the run continues without it. */
  readonly onFailure: (message: string) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Records events in memory and, once it is open, in events.jsonl. */
export class EventLog implements RunSink {
  readonly timeline: Timeline;
  readonly #options: EventLogOptions;
  readonly #now: () => number;
  #step: number;
  #file: JsonLines | undefined;

  constructor(options: EventLogOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#step = options.step;
    this.timeline = new Timeline((event) => this.#store(event), this.#now);
  }

  /** Opens the file and reads its earlier events; those of steps that a crash has undone go, as the steps are done again. */
  async open(path: string): Promise<void> {
    try {
      await dropRecords(path, (record) => isOfStepAfter(record, this.#options.step));
      await readEvents(path, (event) => this.timeline.recall(event));
      this.#file = await JsonLines.open(path, () => true);
    } catch (error) {
      this.#options.onFailure(messageOf(error));
    }
  }

  observe(event: RunEvent): void {
    if (event.kind === 'step') this.#step = event.record.step;
    const kind = kindOf(event);
    const text = sentenceOf(event);
    if (kind === undefined || text === undefined) return;
    const step = event.kind === 'checkpoint' ? event.written.step : this.#step;
    this.timeline.add({
      ...{ kind, step, text },
      ...(event.kind === 'started' ? { environment: event.environment } : {}),
      ...(event.kind === 'more' ? { count: event.count } : {}),
    });
  }

  /** Resolves once every event so far would outlast a power cut; it must not be closed meanwhile. */
  async sync(): Promise<void> {
    const file = this.#file;
    try {
      await file?.sync();
    } catch (error) {
      if (file === this.#file) this.#fail(error);
    }
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #store(event: StoredEvent): void {
    try {
      this.#file?.append(event);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.close();
    this.#options.onFailure(messageOf(error));
  }
}

const FOLDED: Readonly<Record<FoldedKind, EventKind>> = {
  straggler: 'straggler',
  lost: 'lost',
  restarted: 'restarted',
  skipped: 'skipped',
  resized: 'resize',
  checkpoint: 'checkpoint',
  page: 'page',
};

/** Undefined for what does not belong in the timeline. */
function kindOf(event: RunEvent): EventKind | undefined {
  switch (event.kind) {
    case 'started':
      return event.resumed ? 'resume' : 'start';
    case 'straggler':
    case 'lost':
    case 'restarted':
    case 'skipped':
    case 'resized':
    case 'checkpoint':
    case 'page':
      return FOLDED[event.kind];
    case 'nodesLost':
    case 'gpuLost':
      return 'lost';
    case 'more':
      return FOLDED[event.of];
    case 'stopping':
      return 'stop';
    case 'ended':
    case 'failed':
      return 'end';
    default:
      return undefined;
  }
}

/** Reads events.jsonl. @throws GanglionError `checkpoint` */
export function readEvents(path: string, each: (event: StoredEvent) => void): Promise<void> {
  return readJsonLines(path, (record) => {
    if (!isEvent(record)) return;
    const { time, step, kind, text, environment } = record;
    each({ time, step, kind, text, ...(isEnvironment(environment) ? { environment } : {}) });
  });
}

/** Whether a step after this one has made the event, and will again: what became of replicas has happened all the same. */
function isOfStepAfter(record: unknown, step: number): boolean {
  if (!isEvent(record) || 'count' in record) return false;
  return (record.kind === 'skipped' || record.kind === 'checkpoint') && record.step > step;
}

function isEnvironment(value: unknown): value is Environment {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((one) => typeof one === 'string' || typeof one === 'number');
}

function isEvent(record: unknown): record is Omit<StoredEvent, 'environment'> & { readonly environment?: unknown } {
  return (
    typeof record === 'object' &&
    record !== null &&
    'time' in record &&
    typeof record.time === 'number' &&
    Math.abs(record.time) <= MOST_TIME &&
    'step' in record &&
    typeof record.step === 'number' &&
    'kind' in record &&
    EVENT_KINDS.some((kind) => kind === record.kind) &&
    'text' in record &&
    typeof record.text === 'string'
  );
}
