// A run as the live page sees it, whether it trains in this process or lies on the disk: curves, events, status, and what a page
// that was disconnected has missed. It only keeps notes; nothing is prepared before a page asks.
import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import type {
  LiveEvaluation,
  LiveHistory,
  LivePoints,
  LiveRow,
  LiveRunInfo,
  LiveStatus,
  LiveUpdate,
} from '../../shared/live-protocol.ts';
import { toJson } from '../../shared/printable.ts';
import { CURVES } from '../../shared/step-scalars.ts';
import type { Environment } from '../run-folder/environment.ts';
import type { Timeline } from '../run-folder/timeline.ts';
import type { Buckets } from './buckets.ts';
import { History, type HistoryRange } from './history.ts';

export interface LiveRunOptions {
  /** Folder of the run. */
  readonly path: string;
  /** Folder of its pictures. */
  readonly samples: string;
  /** Images a step. */
  readonly batch: number;
  readonly config: object;
  readonly summary?: Readonly<Record<string, unknown>> | null;
  readonly actions: LiveRunInfo['actions'];
  readonly status: () => Omit<LiveStatus, 'evaluated'>;
  readonly timeline: Timeline;
}

/** Position of a page: `session.step.event`, sent as the id of an event. */
const CURSOR = /^([0-9a-f]{12})\.(\d{1,15})\.(\d{1,15})$/;
/** Significant digits of a value that is sent to a page. */
const DIGITS = 6;
/** Evaluations that are shown. */
const MOST_EVALUATIONS = 500;

/** An event for a page. */
export interface LiveMessage {
  readonly id: string;
  /** `reload` has no data: the page must ask for everything again. */
  readonly event: 'update' | 'reload';
  readonly data: string;
}

/** As JSON has it: short, and null where there is no number. */
function toShort(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(DIGITS)) : null;
}

export class LiveRun {
  readonly samples: string;
  readonly history = new History({ curves: CURVES.length });
  readonly timeline: Timeline;
  readonly session = randomBytes(6).toString('hex');
  /** The machine of the run; null until it is known. */
  environment: Environment | null = null;
  /** In order of steps, the newest of them. */
  #evaluations: LiveEvaluation[] = [];
  readonly #options: LiveRunOptions;

  constructor(options: LiveRunOptions) {
    this.#options = options;
    this.samples = options.samples;
    this.timeline = options.timeline;
  }

  /** Adds an evaluation of a later step. */
  evaluated(evaluation: LiveEvaluation): void {
    this.#evaluations.push(evaluation);
    if (this.#evaluations.length >= 2 * MOST_EVALUATIONS)
      this.#evaluations = this.#evaluations.slice(-MOST_EVALUATIONS);
  }

  get evaluations(): readonly LiveEvaluation[] {
    return this.#evaluations.slice(-MOST_EVALUATIONS);
  }

  get status(): LiveStatus {
    return { ...this.#options.status(), evaluated: this.#evaluations.at(-1)?.step ?? null };
  }

  get info(): LiveRunInfo {
    const { path, batch, config, summary = null, actions } = this.#options;
    return {
      session: this.session,
      name: basename(path),
      path,
      batch,
      config: { ...config },
      summary,
      environment: this.environment,
      actions,
      status: this.status,
      events: this.timeline.events,
    };
  }

  /** Everything so far, as an id. */
  get cursor(): string {
    return `${this.session}.${this.history.last}.${this.timeline.seq}`;
  }

  /**
   * Updates since a page's position.
   *
   * @param id of what it has seen last; undefined for a page that has seen nothing
   * @param status to send; undefined when the page has it
   * @returns undefined when there is nothing new
   */
  since(id: string | undefined, status: LiveStatus | undefined): LiveMessage | undefined {
    const [, session, step, seq] = CURSOR.exec(id ?? '') ?? [];
    const rows = session === this.session ? this.history.after(Number(step)) : undefined;
    const events = session === this.session ? this.timeline.after(Number(seq)) : undefined;
    if (!rows || !events) return { id: this.cursor, event: 'reload', data: '{}' };
    if (rows.length === 0 && events.length === 0 && status === undefined) return undefined;
    const short = rows.map(({ step, values }): LiveRow => [step, ...Array.from(values, toShort)]);
    const update: LiveUpdate = { ...(status ? { status } : {}), rows: short, events };
    return { id: this.cursor, event: 'update', data: toJson(update) };
  }

  /** The curves, thinned. */
  read(range: HistoryRange): LiveHistory {
    const buckets = this.history.read(range);
    const steps = Array.from({ length: buckets.length }, (_, b) => {
      return ((buckets.firstStep[b] ?? 0) + (buckets.lastStep[b] ?? 0)) / 2;
    });
    const curves = CURVES.map((name, c) => [name, pointsOf(buckets, c)] as const);
    return {
      session: this.session,
      last: this.history.last,
      steps,
      curves: Object.fromEntries(curves) as LiveHistory['curves'],
    };
  }
}

function pointsOf(buckets: Buckets, curve: number): LivePoints {
  const of = (value: (b: number) => number) => Array.from({ length: buckets.length }, (_, b) => toShort(value(b)));
  return {
    mean: of((b) => buckets.mean(b, curve)),
    min: of((b) => buckets.min(b, curve)),
    max: of((b) => buckets.max(b, curve)),
  };
}
