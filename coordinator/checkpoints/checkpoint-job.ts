// What the checkpoint thread runs: encodes, hashes and writes one checkpoint. Entry file; it loads no TensorFlow and no HTTP.
import { GanglionError, type PlainError } from '../../shared/error.ts';
import type { TrainingState } from '../training/state.ts';
import { writeCheckpoint } from './checkpoint.ts';

/** One checkpoint to write. */
export interface CheckpointJob {
  readonly path: string;
  /** In shared memory, and not changed before the outcome is there. */
  readonly state: TrainingState;
  /** The run's config as JSON. */
  readonly config: string;
}

/** How it went: size of the file in bytes and the state's hash, or why there is no file. */
export type CheckpointOutcome =
  | { readonly ok: true; readonly bytes: number; readonly sha256: string }
  | { readonly ok: false; readonly error: PlainError };

export default function runCheckpointJob({ path, state, config }: CheckpointJob): CheckpointOutcome {
  try {
    return { ok: true, ...writeCheckpoint(path, state, config) };
  } catch (error) {
    if (error instanceof GanglionError) return { ok: false, error: error.toPlain() };
    throw error;
  }
}
