// A run's folder, for reading.
import { listCheckpoints, stepOfCheckpoint } from '../checkpoints/checkpoint.ts';
import { readStoredConfig, type StoredRunConfig } from '../run-folder/run-config.ts';
import type { RunFolder } from '../run-folder/run-folder.ts';
import { readStepLogs, type StepLog } from '../run-folder/step-log.ts';
import { readSummary, type Summary } from '../run-folder/summary.ts';

/** A run as its folder has it. */
export interface StoredRun {
  /** Of the folder, absolute. */
  readonly path: string;
  /** Settings of the run, and the identity of its data. */
  readonly config: StoredRunConfig;
  /** What a run that has ended in order came to; null for one that has not. */
  readonly summary: Summary | null;
  /** Newest first; `Generator.open` verifies one. */
  readonly checkpoints: readonly StoredCheckpoint[];
  /** Reads the log, of which a part is in memory at a time: a record a step, in order. @throws GanglionError `checkpoint` when it cannot be read */
  steps(): AsyncIterable<StepLog>;
}

export interface StoredCheckpoint {
  readonly path: string;
  /** Steps done in its state. */
  readonly step: number;
}

/** @throws GanglionError `checkpoint` when the config cannot be read */
export function openStoredRun(folder: RunFolder): StoredRun {
  return {
    path: folder.path,
    config: readStoredConfig(folder.config),
    summary: readSummary(folder) as Summary | null,
    checkpoints: listCheckpoints(folder.checkpoints).map((path) => ({ path, step: stepOfCheckpoint(path) })),
    steps: () => readStepLogs(folder.metrics),
  };
}
