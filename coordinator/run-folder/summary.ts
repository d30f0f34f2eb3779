// summary.json: the result of a run in a few numbers, written at its end.
import { parseJson } from '../files/json-text.ts';
import { MOST_TEXT_BYTES, readRegularSync } from '../files/regular-file.ts';
import type { RunFolder } from './run-folder.ts';

/** Content of summary.json. */
export interface Summary {
  /** Total steps done, before and after every resume. */
  readonly step: number;
  /**
   * Whole epochs done: 1 after a run of `--epochs 1`. The log, the status and the metrics give the epoch to which the newest
   * step belongs, counted from 0: in the same run, 0.
   */
  readonly epoch: number;
  readonly stateSha256: string;
  /** Of the averaged generator, where the run keeps one. */
  readonly emaSha256?: string;
  /** Real images a second since the run began or was resumed. */
  readonly imagesPerSecond: number;
  /** Seconds since then. */
  readonly wallSeconds: number;
  /** Of the node that writes. */
  readonly workers: number;
  /** Nodes left at the end, where there were several. */
  readonly nodes?: number;
  readonly shards: number;
  /** What computed since the run began or was resumed: `kernels-wasm`, `tensorflow-cpu` and others, see ReplicaReady. */
  readonly engine: string;
  readonly libraryVersion: string;
  /** Name of the GPU, where it was one by WebGPU. */
  readonly device?: string;
  /** Fréchet distance of the newest evaluation, the least of all, and the step of that; where there was an evaluation. */
  readonly frechetDistance?: number;
  readonly bestFrechetDistance?: number;
  readonly bestStep?: number;
  /** File in checkpoints/ of the evaluated step with the least distance that has one; with --keep-best. */
  readonly bestCheckpoint?: string;
  /** Replicas restarted after a fault, on all nodes. */
  readonly restarts: number;
  /** Steps that metrics.jsonl lacks: 0. */
  readonly lostSteps: number;
  /** Records of metrics.jsonl for a step that has one already: 0. */
  readonly repeatedSteps: number;
}

/** The summary of a run that has ended in order. Null where it is missing, cut or no summary: the run was killed before its end. */
export function readSummary(folder: RunFolder): Readonly<Record<string, unknown>> | null {
  try {
    const summary = parseJson(readRegularSync(folder.summary, MOST_TEXT_BYTES), folder.summary, 'checkpoint');
    if (typeof summary !== 'object' || summary === null) return null;
    // Every value of a summary is a number or a text; what else is in the file may be of any depth.
    return Object.fromEntries(Object.entries(summary).filter(([, value]) => typeof value !== 'object'));
  } catch {
    return null;
  }
}

/** Whether a run has a whole summary of this step: it has ended there in order. */
export function hasSummaryOf(folder: RunFolder, step: number): boolean {
  return readSummary(folder)?.step === step;
}
