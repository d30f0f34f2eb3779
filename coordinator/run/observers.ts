// All that watches a run: terminal, status, metrics, live page, TensorBoard's log, profile. What happens is told here once and goes on
// to those that show it. Nothing here calls back into training.
import { basename, join } from 'node:path';
import type { GanglionError } from '../../shared/error.ts';
import { describeShard } from '../../shared/protocol.ts';
import type { WrittenCheckpoint } from '../checkpoints/checkpoint-writer.ts';
import { LiveTraining } from '../live/live-training.ts';
import { createMetrics, type Metrics } from '../monitoring/metrics.ts';
import { Profile } from '../monitoring/profile.ts';
import { StatusKeeper } from '../monitoring/status.ts';
import { curvesOf } from '../monitoring/step-scalars.ts';
import { TensorBoardLog } from '../monitoring/tensorboard/tensorboard-log.ts';
import { createTerminal, type Terminal } from '../monitoring/terminal.ts';
import type { ReplicaStatus } from '../replicas/member.ts';
import type { GroupObserver } from '../replicas/replica-group.ts';
import { describeBadShard } from '../replicas/task-queue.ts';
import type { Environment } from '../run-folder/environment.ts';
import { REAL_SAMPLE } from '../run-folder/pictures.ts';
import type { StoredRunConfig } from '../run-folder/run-config.ts';
import type { RunFolder } from '../run-folder/run-folder.ts';
import type { CoordinatorPart } from '../training/span.ts';
import type { StepRecord } from '../training/trainer.ts';

/** What observers need to know of a run. */
export interface ObservedRun {
  readonly config: StoredRunConfig;
  readonly path: string;
  readonly workers: number;
  /** Steps done when this process begins. */
  readonly firstStep: number;
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly tokenNeeded: boolean;
  /** File of a trace of that many steps. */
  readonly profile: { readonly path: string; readonly steps: number } | null;
  readonly replicas: () => readonly ReplicaStatus[];
}

/** Steps before a profile begins, or half of a short run: V8 compiles for some hundred, beside the replicas. */
const PROFILE_AFTER = 500;

export class Observers {
  readonly terminal: Terminal;
  readonly status: StatusKeeper;
  readonly metrics: Metrics;
  readonly live: LiveTraining;
  /** Told what the replicas do. */
  readonly group: GroupObserver;
  /** Told what the coordinator does in a step. */
  readonly span: ((part: CoordinatorPart, fromMs: number, toMs: number) => void) | undefined;
  readonly #run: ObservedRun;
  readonly #profile: Profile | undefined;
  #tensorboard: TensorBoardLog | undefined;

  constructor(run: ObservedRun) {
    const { config, path, workers, firstStep, totalSteps, stepsPerEpoch, replicas } = run;
    this.#run = run;
    this.terminal = createTerminal(process.stdout, { batch: config.batch, totalSteps });
    this.#profile = run.profile ? createProfile(run.profile, firstStep, totalSteps) : undefined;
    this.span = this.#profile?.span.bind(this.#profile);
    const info = {
      run: basename(path),
      node: process.version,
      backend: config.ranOn,
      workers: String(workers),
      shards: String(config.shards),
    };
    this.metrics = createMetrics({ batch: config.batch, replicas, info });
    this.status = new StatusKeeper({
      run: path,
      step: firstStep,
      epoch: Math.floor(Math.max(0, firstStep - 1) / stepsPerEpoch),
      steps: totalSteps,
      batch: config.batch,
      backend: config.ranOn,
      replicas,
    });
    this.live = new LiveTraining({
      path,
      config,
      actions: { tokenNeeded: run.tokenNeeded, mostWorkers: config.shards },
      status: () => this.status.status,
      onFailure: (message) => this.terminal.line(`${message}; the timeline is not written any more`),
    });
    this.group = this.#observeGroup();
  }

  #observeGroup(): GroupObserver {
    const { terminal, metrics, live } = this;
    const profile = this.#profile;
    return {
      fault(error: GanglionError) {
        const { reason = 'error', message } = error;
        metrics.fault(reason);
        live.lost(error);
        terminal.line(`${message} (${reason}); its shards go to other replicas`);
      },
      straggler(shard, replica) {
        metrics.straggler();
        live.straggler(shard, replica);
        terminal.line(`replica ${replica} is late with ${describeShard(shard)}: given to another one too`);
      },
      audit: () => metrics.audit(),
      ...(profile ? { computed: (id, shard, { seconds }) => profile.computed(id, shard, seconds) } : {}),
      restarted: (replica) => live.restarted(replica),
    };
  }

  /** The run's folder is there. @throws GanglionError when its log cannot be read, or the profile not be written */
  async open(folder: RunFolder): Promise<void> {
    this.#profile?.open();
    await this.live.open(folder, this.#run.firstStep);
  }

  /** Replicas are there; the run begins or goes on. */
  started(folder: RunFolder, resumed: boolean, text: string, environment: Environment): void {
    const { config, firstStep } = this.#run;
    this.live.started(resumed, text, environment);
    if (config.tensorboard === 'off') return;
    this.#tensorboard = new TensorBoardLog({
      folder: folder.path,
      resumedAt: resumed ? firstStep : null,
      onFailure: (message) => this.terminal.line(`${message}; nothing more is written for TensorBoard`),
    });
    if (!resumed) this.#tensorboard.real(join(folder.samples, REAL_SAMPLE));
  }

  resized(from: number, to: number): void {
    this.terminal.line(`${from} workers become ${to}`);
    this.live.resized(from, to);
  }

  stopping(who: string): void {
    this.status.enter('stopping');
    this.live.stopping(who);
    this.terminal.line(`${who}: finishing the step and writing a checkpoint; Ctrl-C again stops at once`);
  }

  /** A step is in the log. @param fromMs when its commit began, by `performance.now()` */
  committed(record: StepRecord, fromMs: number): void {
    this.metrics.step(record);
    this.status.step(record);
    this.live.step(record);
    this.#tensorboard?.step(record.step, curvesOf(record, this.#run.config.batch));
    for (const { skipped, bad } of [record.discriminator, record.generator]) {
      if (!skipped) continue;
      const why = bad.map(describeBadShard).join('; ') || 'bad gradients on another node';
      this.terminal.line(`update skipped: ${why}`);
    }
    this.terminal.progress(record.step, () => this.status.status);
    this.span?.('commit', fromMs, performance.now());
    this.#profile?.committed(record.step);
  }

  /** A picture is there. */
  sampled(step: number, png: Uint8Array): void {
    this.live.sampled(step);
    this.#tensorboard?.sample(step, png);
  }

  /** A checkpoint is about to be written: no log of a step may be behind it. */
  flush(): void {
    this.#tensorboard?.flush();
  }

  checkpoint(written: WrittenCheckpoint): void {
    const { path, seconds, bytes } = written;
    this.status.checkpoint(path);
    this.live.checkpoint(written);
    this.metrics.checkpoint(seconds, bytes);
  }

  /** Training is over, by its end or by a stop. */
  trained(): void {
    this.#profile?.close();
  }

  close(): void {
    this.live.close();
    this.#tensorboard?.close();
  }
}

function createProfile(
  { path, steps }: NonNullable<ObservedRun['profile']>,
  firstStep: number,
  totalSteps: number,
): Profile {
  return new Profile({
    path,
    steps,
    after: firstStep + Math.min(PROFILE_AFTER, Math.floor((totalSteps - firstStep) / 2)),
  });
}
