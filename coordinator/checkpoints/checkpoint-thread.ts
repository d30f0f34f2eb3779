// The thread that writes checkpoints beside the step loop.
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { NO_REQUIRE } from '../machine/thread-flags.ts';
import type { CheckpointJob, CheckpointOutcome } from './checkpoint-job.ts';

/** Compiled entry file of the thread. */
const CHECKPOINT_JOB = new URL('./checkpoint-job.js', import.meta.url);

/** What is known of a checkpoint once its file is there. */
export interface WrittenFile {
  readonly bytes: number;
  /** Of the state. */
  readonly sha256: string;
  /** Why older checkpoints that were not to stay are still there. */
  readonly notPruned?: string;
}

export interface CheckpointThread {
  /**
   * Writes a checkpoint whole or not at all; one at a time.
   *
   * @throws GanglionError `environment` when the disk is full or read-only, or the thread ends
   */
  write(job: CheckpointJob): Promise<WrittenFile>;
  /** Ends the thread, at once. */
  close(): Promise<void>;
}

/** @param entry compiled file whose default export runs a job; its thread starts at once */
export function startCheckpointThread(entry: URL = CHECKPOINT_JOB): CheckpointThread {
  // Without this process's own flags: those of V8 hold for its threads already, and a thread that is given one does not start.
  const pool = new Piscina({ filename: fileURLToPath(entry), execArgv: [NO_REQUIRE], minThreads: 1, maxThreads: 1 });
  /** Tells the job under way that the thread has ended, and why where that is known. */
  let lose: ((cause?: unknown) => void) | undefined;
  // Piscina rejects the job that a thread was running when it died; one that still waits for its thread would wait for ever.
  pool.on('error', (error) => lose?.(error));
  pool.on('workerDestroy', () => lose?.());

  async function write(job: CheckpointJob): Promise<WrittenFile> {
    try {
      const outcome = await new Promise<CheckpointOutcome>((resolve, reject) => {
        let lost = false;
        const fail = (cause: unknown): void => {
          const message = `cannot write ${job.path}: the thread that writes it ended: ${messageOf(cause)}`;
          reject(lost ? new GanglionError('environment', message, { cause }) : cause);
        };
        lose = (cause) => {
          lost = true;
          if (cause !== undefined) fail(cause);
          else setImmediate(fail, 'no reason known'); // Piscina may be about to give one
        };
        pool.run(job).then(resolve, fail);
      });
      if (!outcome.ok) throw GanglionError.fromPlain(outcome.error);
      const { ok: _, ...file } = outcome;
      return file;
    } finally {
      lose = undefined;
    }
  }

  return { write, close: () => pool.destroy() };
}
