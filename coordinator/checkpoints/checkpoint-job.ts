// What the checkpoint thread runs: encodes, hashes and writes one checkpoint. Entry file; it loads no TensorFlow and no HTTP.
import { GanglionError, type PlainError } from '../../shared/error.ts';
import { joinLock, type LockTicket } from '../files/run-lock.ts';
import type { TrainingState } from '../training/state.ts';
import { writeCheckpoint } from './checkpoint.ts';

/** One checkpoint to write. */
export interface CheckpointJob {
  readonly path: string;
  /** In shared memory, and not changed before the outcome is there. */
  readonly state: TrainingState;
  /** The run's config as JSON. */
  readonly config: string;
  /** Of the run's folder, which must still be this process's when the file gets its name; null for a folder that is not locked. */
  readonly ticket: LockTicket | null;
}

/** How it went: size of the file in bytes and the state's hash, or why there is no file. */
export type CheckpointOutcome =
  | { readonly ok: true; readonly bytes: number; readonly sha256: string }
  | { readonly ok: false; readonly error: PlainError };

export default function runCheckpointJob({ path, state, config, ticket }: CheckpointJob): CheckpointOutcome {
  const leave = ticket && joinLock(ticket);
  try {
    return { ok: true, ...writeCheckpoint(path, state, config) };
  } catch (error) {
    if (error instanceof GanglionError) return { ok: false, error: error.toPlain() };
    throw error;
  } finally {
    leave?.();
  }
}
