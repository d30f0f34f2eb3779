// Checkpoints beside the step loop: the loop waits while the state is copied; a thread then encodes, hashes and writes the copy.
import { join } from 'node:path';
import type { ModelSpec } from '../../shared/model/spec.ts';
import type { LockTicket } from '../files/run-lock.ts';
import { copyState, sharedState, type TrainingState } from '../training/state.ts';
import type { Distances } from './best-checkpoint.ts';
import { checkpointName } from './checkpoint.ts';
import type { CheckpointThread, WrittenFile } from './checkpoint-thread.ts';

/** A checkpoint on disk. */
export interface WrittenCheckpoint extends WrittenFile {
  readonly path: string;
  /** Steps done in its state. */
  readonly step: number;
  /** From the beginning of the copy until the file had its name. */
  readonly seconds: number;
}

export interface CheckpointWriterOptions {
  /** Where checkpoints go. */
  readonly folder: string;
  /** The run's config as JSON. */
  readonly config: string;
  /** Of the run's folder; null when it is not locked. */
  readonly ticket: LockTicket | null;
  /** Checkpoints that stay, the newest valid ones; null: all. */
  readonly keep: number | null;
  /** By which the best checkpoint stays, too; null while that is not known: then none is removed. Asked once the logs are synced. */
  readonly distances?: (() => Distances | null) | undefined;
  /** Model of the states to come. */
  readonly spec: ModelSpec;
  /** Whether they have an averaged generator. */
  readonly isAveraged?: boolean;
  /** Receives jobs one after another. */
  readonly thread: CheckpointThread;
  /** Brings every log to the disk, before each checkpoint: after a power cut, too, none knows a step that a log does not. */
  readonly syncLogs: () => Promise<void>;
  readonly onWritten: (written: WrittenCheckpoint) => void;
  /** Told how long `save` has taken, by which the step loop was held. */
  readonly onHeld: (seconds: number) => void;
  /** Monotonic clock in milliseconds. */
  readonly now?: () => number;
}

/** Writes every state that it is given, one at a time and in order. Once one fails, every later call fails by the same error. */
export class CheckpointWriter {
  readonly #options: CheckpointWriterOptions;
  readonly #now: () => number;
  /** The newest state saved; the thread reads it. */
  readonly #copy: TrainingState;
  /** Never rejects. */
  #underWay: Promise<void> = Promise.resolve();
  #newest: WrittenCheckpoint | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: CheckpointWriterOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#copy = sharedState(options.spec, options.isAveraged);
  }

  /**
   * Resolves once the state is copied and may change again; waits for the checkpoint before, should it still be under way.
   *
   * @throws GanglionError `environment` when the one before has failed
   */
  async save(state: TrainingState): Promise<void> {
    const calledMs = this.#now();
    await this.settle();
    const startedMs = this.#now();
    copyState(state, this.#copy);
    this.#underWay = this.#write(startedMs).catch((error: unknown) => {
      this.#failure = { error };
    });
    this.#options.onHeld((this.#now() - calledMs) / 1000);
  }

  async #write(startedMs: number): Promise<void> {
    const { folder, config, ticket, keep, distances, thread, syncLogs, onWritten } = this.#options;
    const { step } = this.#copy;
    const path = join(folder, checkpointName(step));
    await syncLogs();
    const known = distances?.();
    const kept = known === null ? { keep: null } : { keep, ...(known && { distances: known }) };
    const file = await thread.write({ path, state: this.#copy, config, ticket, ...kept });
    this.#newest = { ...file, path, step, seconds: (this.#now() - startedMs) / 1000 };
    onWritten(this.#newest);
  }

  /** @throws what a checkpoint has failed by, if that is known already */
  check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /**
   * Waits until nothing is under way.
   *
   * @returns the newest checkpoint of this writer
   * @throws GanglionError `environment` when one has failed
   */
  async settle(): Promise<WrittenCheckpoint | undefined> {
    await this.#underWay;
    this.check();
    return this.#newest;
  }

  /** Lets the one under way end, whichever way, and ends the thread. */
  async close(): Promise<void> {
    await this.#underWay;
    await this.#options.thread.close();
  }
}
