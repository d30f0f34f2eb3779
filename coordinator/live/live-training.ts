// What a run under way leaves for the live page: the trainer's records become curves, what happens becomes the timeline, which is
// also written to events.jsonl.
import type { GanglionError } from '../../shared/error.ts';
import { messageOf } from '../../shared/error.ts';
import type { LiveRunInfo, LiveStatus } from '../../shared/live-protocol.ts';
import { describeShard } from '../../shared/protocol.ts';
import type { WrittenCheckpoint } from '../checkpoints/checkpoint-writer.ts';
import { JsonLines } from '../files/json-lines.ts';
import type { Status } from '../monitoring/status.ts';
import { curvesOf } from '../monitoring/step-scalars.ts';
import { describeBadShard } from '../replicas/bad-shard.ts';
import type { Shard } from '../replicas/replica.ts';
import type { Environment } from '../run-folder/environment.ts';
import { readEvents, Timeline } from '../run-folder/events.ts';
import type { RunConfig } from '../run-folder/run-config.ts';
import { type RunFolder, runFolderAt } from '../run-folder/run-folder.ts';
import { readLog } from '../run-folder/step-log.ts';
import type { StepRecord } from '../training/trainer.ts';
import { LiveRun } from './live-run.ts';

export interface LiveTrainingOptions {
  /** Folder of the run. */
  readonly path: string;
  readonly config: RunConfig;
  readonly actions: LiveRunInfo['actions'];
  readonly status: () => Status;
  /** Told once, when events.jsonl cannot be read or written: the run goes on without. */
  readonly onFailure: (message: string) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** A replica that is late again within this time is no event: a slow one would be nothing else. */
const STRAGGLER_MS = 10_000;

export class LiveTraining {
  readonly run: LiveRun;
  readonly #options: LiveTrainingOptions;
  readonly #now: () => number;
  readonly #timeline: Timeline;
  #file: JsonLines | undefined;
  #sample: number | null = null;
  #failed = false;
  readonly #late = new Map<number, number>();

  constructor(options: LiveTrainingOptions) {
    const { path, config, actions, now = Date.now } = options;
    this.#options = options;
    this.#now = now;
    this.#timeline = new Timeline((event) => this.#store(event), now);
    this.run = new LiveRun({
      path,
      samples: runFolderAt(path).samples,
      batch: config.batch,
      config,
      actions,
      status: () => this.#status(),
      timeline: this.#timeline,
    });
  }

  /**
   * Opens the run's folder: what happened in it before, up to `step`, is known from now on.
   *
   * @throws GanglionError when the log cannot be read
   */
  async open(folder: RunFolder, step: number): Promise<void> {
    if (step > 0) {
      await readLog(folder.metrics, (logged) => {
        if (logged.step <= step) this.run.history.add(logged.step, logged.values);
      });
    }
    try {
      await readEvents(folder.events, (event) => this.#timeline.recall(event));
      this.#file = new JsonLines(folder.events, () => true);
    } catch (error) {
      this.#options.onFailure(messageOf(error));
    }
  }

  /** The run has begun, or goes on. */
  started(resumed: boolean, text: string, environment: Environment): void {
    this.run.environment = environment;
    const { step } = this.#options.status();
    this.#timeline.add(resumed ? 'resume' : 'start', step, text, environment);
  }

  step(record: StepRecord): void {
    this.run.history.add(record.step, curvesOf(record, this.#options.config.batch));
    for (const phase of ['discriminator', 'generator'] as const) {
      const { skipped, bad } = record[phase];
      if (!skipped) continue;
      const why = bad.map(describeBadShard).join('; ') || 'bad gradients on another node';
      this.#timeline.add('skipped', record.step, `update of the ${phase} skipped: ${why}`);
    }
  }

  /** A picture is there. */
  sampled(step: number): void {
    this.#sample = step;
  }

  checkpoint({ step, bytes, seconds }: WrittenCheckpoint): void {
    const size = `${(bytes / 2 ** 20).toFixed(1)} MiB in ${seconds.toFixed(2)} s`;
    this.#timeline.add('checkpoint', step, `checkpoint of step ${step}, ${size}`);
  }

  lost({ message, reason = 'error' }: GanglionError): void {
    this.#add('lost', `${message} (${reason})`);
  }

  restarted(replica: number): void {
    this.#add('restarted', `replica ${replica} is back`);
  }

  straggler(shard: Shard, replica: number): void {
    const now = this.#now();
    const before = this.#late.get(replica);
    if (before !== undefined && now - before < STRAGGLER_MS) return;
    this.#late.set(replica, now);
    this.#add('straggler', `replica ${replica} is late with ${describeShard(shard)}: given to another one too`);
  }

  resized(from: number, to: number): void {
    this.#add('resize', `${from} workers become ${to}`);
  }

  stopping(who: string): void {
    this.#add('stop', `stop asked for by ${who}`);
  }

  /** The run has ended in order. */
  ended(text: string): void {
    this.#add('end', text);
  }

  /** The run ends by an error. */
  failed(error: unknown): void {
    this.#failed = true;
    this.#add('end', `ended: ${messageOf(error)}`);
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #add(kind: Parameters<Timeline['add']>[0], text: string): void {
    this.#timeline.add(kind, this.#options.status().step, text);
  }

  #store(event: object): void {
    try {
      this.#file?.append(event);
    } catch (error) {
      this.close();
      this.#options.onFailure(messageOf(error));
    }
  }

  #status(): LiveStatus {
    const { state, healthy, step, steps, epoch, imagesPerSecond, restarts, replicas } = this.#options.status();
    const ended = this.#failed || (state === 'finished' && step < steps);
    return {
      state: ended ? 'stopped' : state,
      healthy,
      step,
      steps,
      epoch,
      imagesPerSecond: Math.round(imagesPerSecond),
      restarts,
      replicas,
      sample: this.#sample,
    };
  }
}
