// A run's folder, for reading.
import { readFileSync } from 'node:fs';
import { listCheckpoints, stepOfCheckpoint } from '../checkpoints/checkpoint.ts';
import { readStoredConfig, type StoredRunConfig } from '../run-folder/run-config.ts';
import type { RunFolder } from '../run-folder/run-folder.ts';
import { readStepLogs, type StepLog } from '../run-folder/step-log.ts';
import type { Summary } from '../run-folder/summary.ts';

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
  /** Reads the log: a record a step, in order. @throws GanglionError `checkpoint` when it cannot be read */
  steps(): Promise<StepLog[]>;
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
    summary: readSummary(folder.summary),
    checkpoints: listCheckpoints(folder.checkpoints).map((path) => ({ path, step: stepOfCheckpoint(path) })),
    async steps() {
      const steps: StepLog[] = [];
      await readStepLogs(folder.metrics, (step) => steps.push(step));
      return steps;
    },
  };
}

function readSummary(path: string): Summary | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Summary;
  } catch {
    return null; // missing or cut: the run was killed before its end
  }
}
