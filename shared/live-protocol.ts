// What the live page and the coordinator say to each other: the answers of /api/run, /api/history and /api/samples, and the
// server-sent events of /api/events. Types only, but for the kinds of events.
import type { Evaluation } from './evaluation.ts';
import type { Curve } from './step-scalars.ts';

/** What a run has come to, for the head of the page. */
export interface LiveStatus {
  readonly state: 'starting' | 'training' | 'stopping' | 'finished' | 'stopped';
  /** False when training has made no step for a minute. */
  readonly healthy: boolean;
  readonly step: number;
  /** Steps in all; null where a run's files do not say. */
  readonly steps: number | null;
  readonly epoch: number;
  readonly imagesPerSecond: number;
  readonly restarts: number;
  /** Of all nodes. */
  readonly replicas: readonly LiveReplica[];
  /** None where one node trains alone. */
  readonly nodes: readonly LiveNode[];
  /** Step of the newest picture; null before the first. */
  readonly sample: number | null;
  /** Step of the newest evaluation; null before the first. */
  readonly evaluated: number | null;
}

/** An evaluation, as /api/evaluations lists them. */
export type LiveEvaluation = Omit<Evaluation, 'nearest'>;

export interface LiveNode {
  readonly node: number;
  readonly state: string;
  readonly host: string | null;
  readonly pid: number | null;
  /** Replicas that it has; a lost one has none. */
  readonly replicas: number;
  /** Shards whose accepted answer came from its replicas. */
  readonly shards: number;
  /** Mean of its replicas' median times for a shard; null before the first. */
  readonly shardSeconds: number | null;
  /** Time that its replicas spent on shards. */
  readonly busySeconds: number;
  /** Time for which it has waited for sums over all nodes. */
  readonly reduceSeconds: number;
  readonly restarts: number;
  readonly stragglers: number;
}

export interface LiveReplica {
  /** Where there are several. */
  readonly node?: number;
  readonly id: number;
  readonly kind: string | null;
  readonly pid: number | null;
  readonly state: string;
  readonly restarts: number;
  readonly shards: number;
  readonly shardSeconds: number | null;
}

/** What happened, for the timeline. */
export const EVENT_KINDS = [
  'start',
  'resume',
  'checkpoint',
  'lost',
  'restarted',
  'straggler',
  'skipped',
  'resize',
  'page',
  'stop',
  'end',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export interface LiveEvent {
  /** Grows by one an event, from 1, as long as the coordinator lives. */
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Steps done at that time. */
  readonly step: number;
  readonly kind: EventKind;
  /** One line. */
  readonly text: string;
}

/** Answer of /api/run: all but the curves. */
export interface LiveRunInfo {
  /** Of this life of the coordinator: what it said before a restart is void after it. */
  readonly session: string;
  readonly name: string;
  readonly path: string;
  /** Images a step. */
  readonly batch: number;
  readonly config: Readonly<Record<string, unknown>>;
  /** summary.json of a run that has ended. */
  readonly summary: Readonly<Record<string, unknown>> | null;
  /** Processor, system, versions; null where the run's files do not say. */
  readonly environment: Readonly<Record<string, string | number>> | null;
  /** Null where the page can change nothing: a run shown from its files. */
  readonly actions: { readonly tokenNeeded: boolean; readonly mostWorkers: number; readonly mostPages: number } | null;
  readonly status: LiveStatus;
  readonly events: readonly LiveEvent[];
}

/** First the step, then one value a curve in the order of `CURVES` (step-scalars.ts); null is not a number. */
export type LiveRow = readonly (number | null)[];

/** Data of the event `update`: what has changed since the id before. */
export interface LiveUpdate {
  /** Left out when it is as before. */
  readonly status?: LiveStatus;
  readonly rows: readonly LiveRow[];
  readonly events: readonly LiveEvent[];
}

/** Thinned curves: point i stands for the steps around `steps[i]`. */
export interface LiveHistory {
  readonly session: string;
  /** Newest step known. */
  readonly last: number;
  readonly steps: readonly number[];
  readonly curves: Readonly<Record<Curve, LivePoints>>;
}

/** Of the steps that a point stands for; null where none of them has a number. */
export interface LivePoints {
  readonly mean: readonly (number | null)[];
  readonly min: readonly (number | null)[];
  readonly max: readonly (number | null)[];
}
