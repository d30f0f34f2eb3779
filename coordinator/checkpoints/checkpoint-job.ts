// What the checkpoint thread runs: encodes, hashes and writes one checkpoint, and removes old ones. Entry file; it loads no TensorFlow and no HTTP.
import { dirname } from 'node:path';
import { GanglionError, messageOf, type PlainError } from '../../shared/error.ts';
import { joinLock, type LockTicket } from '../files/run-lock.ts';
import type { TrainingState } from '../training/state.ts';
import type { Distances } from './best-checkpoint.ts';
import { writeCheckpoint } from './checkpoint.ts';
import { CheckpointPruner } from './pruner.ts';

/** One checkpoint to write. */
export interface CheckpointJob {
  readonly path: string;
  /** In shared memory, and not changed before the outcome is there. */
  readonly state: TrainingState;
  /** The run's config as JSON. */
  readonly config: string;
  /** Of the run's folder, which must still be this process's when the file gets its name; null for a folder that is not locked. */
  readonly ticket: LockTicket | null;
  /** Checkpoints that stay in the folder, the newest valid ones; null: all. */
  readonly keep: number | null;
  /** By which the best checkpoint stays, too. */
  readonly distances?: Distances | undefined;
}

/** How it went: size of the file in bytes, the state's hash and why older ones could not be removed, or why there is no file. */
export type CheckpointOutcome =
  | { readonly ok: true; readonly bytes: number; readonly sha256: string; readonly notPruned?: string }
  | { readonly ok: false; readonly error: PlainError };

const pruner = new CheckpointPruner();

export default function runCheckpointJob({
  path,
  state,
  config,
  ticket,
  keep,
  distances,
}: CheckpointJob): CheckpointOutcome {
  const leave = ticket && joinLock(ticket);
  try {
    const file = writeCheckpoint(path, state, config);
    pruner.written(path);
    return { ok: true, ...file, ...(keep === null ? {} : prune(dirname(path), keep, distances)) };
  } catch (error) {
    if (error instanceof GanglionError) return { ok: false, error: error.toPlain() };
    throw error;
  } finally {
    leave?.();
  }
}

/** What cannot be removed costs disk, not the run. */
function prune(folder: string, keep: number, distances: Distances | undefined): { readonly notPruned?: string } {
  try {
    pruner.prune(folder, keep, distances);
    return {};
  } catch (error) {
    if (error instanceof GanglionError) return { notPruned: messageOf(error) };
    throw error;
  }
}
