// What happens in a run, as one union. Whoever shows or records a run is a sink: it observes every event and takes what it needs.
// The sentences for people are written here, once.
import { type GanglionError, messageOf } from '../../shared/error.ts';
import type { Phase } from '../../shared/model/layout.ts';
import { counted } from '../../shared/printable.ts';
import { describeShard, type PassSeconds } from '../../shared/protocol.ts';
import type { WrittenCheckpoint } from '../checkpoints/checkpoint-writer.ts';
import { type BadShard, describeBadShard } from '../replicas/bad-shard.ts';
import type { NodeReport } from '../replicas/node-report.ts';
import type { Shard } from '../replicas/replica.ts';
import type { CoordinatorPart } from '../training/span.ts';
import type { StepRecord } from '../training/trainer.ts';
import type { Environment } from './environment.ts';
import type { LoggedEvaluation } from './evaluation-log.ts';

export type RunEvent =
  | RunStarted
  /** The first step begins. */
  | { readonly kind: 'training' }
  /** A step is in the log. `fromMs` is when its commit began, by `performance.now()`. */
  | { readonly kind: 'step'; readonly record: StepRecord; readonly fromMs: number }
  /** A step that is in the log was computed again, as a GPU was lost with the state. */
  | { readonly kind: 'repeated' }
  /** A grid of samples is on disk. */
  | { readonly kind: 'sampled'; readonly step: number; readonly png: Uint8Array }
  /** Samples of a step were compared with real images. */
  | { readonly kind: 'evaluated'; readonly evaluation: LoggedEvaluation }
  /** A checkpoint is about to be written: no log of a step may be behind it. */
  | { readonly kind: 'flush' }
  | { readonly kind: 'checkpoint'; readonly written: WrittenCheckpoint }
  /** How long a checkpoint blocked the step loop. */
  | { readonly kind: 'held'; readonly seconds: number }
  /** A replica was lost; the error names it, its shard and the reason. */
  | { readonly kind: 'lost'; readonly error: GanglionError }
  /** A GPU was lost; what it computed goes on elsewhere. */
  | { readonly kind: 'gpuLost'; readonly text: string }
  | { readonly kind: 'restarted'; readonly replica: number }
  /** A page lends its processor, cannot, or does no more. */
  | { readonly kind: 'page'; readonly text: string }
  /** A late shard was given to a second replica. */
  | { readonly kind: 'straggler'; readonly shard: Shard; readonly replica: number }
  /** A shard is computed twice, to compare the bits. */
  | { readonly kind: 'audit' }
  /** A replica has computed a pass of a shard; emitted only for a profile. */
  | { readonly kind: 'computed'; readonly replica: number; readonly shard: Shard; readonly seconds: PassSeconds }
  /** The coordinator has done a part of a step, times by `performance.now()`; emitted only for a profile. */
  | { readonly kind: 'span'; readonly part: CoordinatorPart; readonly fromMs: number; readonly toMs: number }
  /** An update was skipped for bad gradients; a part of a `step`. */
  | { readonly kind: 'skipped'; readonly phase: Phase; readonly bad: readonly BadShard[] }
  /** Another node has told about itself. */
  | { readonly kind: 'told'; readonly node: number; readonly report: NodeReport }
  /** Nodes were lost; so many are left. */
  | { readonly kind: 'nodesLost'; readonly nodes: readonly number[]; readonly left: number }
  | { readonly kind: 'resized'; readonly from: number; readonly to: number }
  | MoreEvents
  | { readonly kind: 'stopping'; readonly who: string }
  | RunEnded
  | { readonly kind: 'failed'; readonly error: unknown }
  /** A line for people who watch. */
  | { readonly kind: 'notice'; readonly text: string };

/** Kinds of which there may be many in a row. */
export type FoldedKind = 'straggler' | 'lost' | 'restarted' | 'skipped' | 'resized' | 'checkpoint' | 'page';
export type FoldedEvent = Extract<RunEvent, { readonly kind: FoldedKind }>;

/** Further events of a kind in a row, in place of them. */
export interface MoreEvents {
  readonly kind: 'more';
  readonly of: FoldedKind;
  readonly count: number;
  /** Whom or what they were about, and how often: `replica 0 12`. */
  readonly parts: readonly string[];
  readonly newest: FoldedEvent;
}

/** The replicas are there. */
export interface RunStarted {
  readonly kind: 'started';
  readonly resumed: boolean;
  /** Steps done before. */
  readonly step: number;
  /** Nodes that train together, and the workers of this one. */
  readonly nodes: number;
  readonly workers: number;
  readonly shards: number;
  /** Name of the dataset. */
  readonly data: string;
  /** What computes, with its version. */
  readonly computing: string;
  readonly environment: Environment;
}

/** The run has ended in order, at its last step or by a stop. */
export interface RunEnded {
  readonly kind: 'ended';
  readonly step: number;
  readonly totalSteps: number;
  readonly imagesPerSecond: number;
  readonly stateSha256: string;
}

/** Observes a run. It never calls back into training; what it throws ends the run. */
export interface RunSink {
  observe(event: RunEvent): void;
}

/** What more events of a kind are called. */
const MORE: Readonly<Record<FoldedKind, string>> = {
  straggler: 'shards of stragglers were given to a second replica',
  lost: 'replicas were lost; their shards went to others',
  restarted: 'restarts of replicas',
  skipped: 'updates skipped',
  resized: 'changes of the number of workers',
  checkpoint: 'checkpoints',
  page: 'pages came or left',
};

/** The sentence that describes an event to people; most events have none. */
export function sentenceOf(event: RunEvent): string | undefined {
  switch (event.kind) {
    case 'started': {
      const { resumed, step, data, nodes, workers, shards, computing } = event;
      const own = counted(workers, 'worker');
      const replicas = nodes > 1 ? `${nodes} nodes, ${own} on this one` : own;
      const shared = `${replicas}, ${counted(shards, 'shard')}`;
      return `${resumed ? `resuming at step ${step}` : 'training'}: ${data}; ${shared}; ${computing}`;
    }
    case 'skipped': {
      const { phase, bad } = event;
      const why = bad.map(describeBadShard).join('; ') || `bad gradients of the ${phase} on another node`;
      return `update skipped: ${why}`;
    }
    case 'more': {
      const { of, count, parts, newest } = event;
      const details =
        newest.kind === 'checkpoint' || newest.kind === 'page' ? `the newest ${sentenceOf(newest)}` : parts.join(', ');
      return `${count} more ${MORE[of]}: ${details}`;
    }
    case 'checkpoint': {
      const { step, bytes, seconds } = event.written;
      return `checkpoint of step ${step}, ${(bytes / 2 ** 20).toFixed(1)} MiB in ${seconds.toFixed(2)} s`;
    }
    case 'evaluated': {
      const { step, frechetDistance, floor, precision, recall } = event.evaluation;
      const distance = `Fréchet distance ${frechetDistance.toFixed(2)} (real images ${floor.toFixed(2)})`;
      return `evaluation of step ${step}: ${distance}, precision ${precision.toFixed(2)}, recall ${recall.toFixed(2)}`;
    }
    case 'lost':
      return `${event.error.message} (${event.error.reason ?? 'error'}); its shards go to other replicas`;
    case 'nodesLost': {
      const { nodes, left } = event;
      return `node ${nodes.join(', ')} lost; going on with ${left} of ${nodes.length + left}`;
    }
    case 'restarted':
      return `replica ${event.replica} has restarted`;
    case 'straggler':
      return `replica ${event.replica} is a straggler: ${describeShard(event.shard)} was given to a second replica`;
    case 'resized':
      return `changing from ${event.from} to ${counted(event.to, 'worker')}`;
    case 'stopping':
      return `${event.who}: finishing the step and writing a checkpoint`;
    case 'ended': {
      const { step, totalSteps, imagesPerSecond } = event;
      const how = step === totalSteps ? 'finished' : 'stopped';
      return `${how} at step ${step} of ${totalSteps}, ${imagesPerSecond.toFixed(0)} images/s`;
    }
    case 'failed':
      return `ended: ${messageOf(event.error)}`;
    case 'gpuLost':
    case 'page':
    case 'notice':
      return event.text;
    default:
      return undefined;
  }
}

/** The updates of a step that were skipped, as events. */
export function skippedUpdatesOf(record: StepRecord): Extract<RunEvent, { readonly kind: 'skipped' }>[] {
  return (['discriminator', 'generator'] as const)
    .filter((phase) => record[phase].skipped)
    .map((phase) => ({ kind: 'skipped', phase, bad: record[phase].bad }));
}
