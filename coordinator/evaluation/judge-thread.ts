// The thread that judges generated images: one evaluation at a time, beside whatever else this process does.
import { fileURLToPath } from 'node:url';
import { SHARE_ENV } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { GanglionError, messageOf } from '../../shared/error.ts';
import type { Figures, JudgeJob, JudgeOutcome } from '../../shared/evaluation.ts';
import { NO_REQUIRE } from '../machine/thread-flags.ts';

export interface JudgeThread {
  /** @throws GanglionError `environment` when the backend does not load, or the thread ends */
  judge(job: JudgeJob): Promise<Figures>;
  /** Ends the thread, at once. */
  close(): Promise<void>;
}

/** @param entry compiled file whose default export runs a job; its thread starts with the first */
export function createJudgeThread(entry: URL): JudgeThread {
  const pool = new Piscina({
    ...{ filename: fileURLToPath(entry), execArgv: [NO_REQUIRE], minThreads: 0, maxThreads: 1 },
    env: SHARE_ENV, // libraries read the environment of the process
    idleTimeout: Number.POSITIVE_INFINITY, // what it has loaded is for the next one, too
  });
  return {
    async judge(job) {
      let outcome: JudgeOutcome;
      try {
        outcome = await pool.run(job);
      } catch (cause) {
        throw new GanglionError('environment', `the thread that evaluates ended: ${messageOf(cause)}`, { cause });
      }
      if (!outcome.ok) throw GanglionError.fromPlain(outcome.error);
      return outcome.figures;
    },
    close: () => pool.destroy(),
  };
}
