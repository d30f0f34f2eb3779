// What the library gives and takes, for its users.
import type { ImageShape } from '../../shared/model/spec.ts';
import type { StepLog } from '../run-folder/step-log.ts';
import type { Settings } from '../settings/settings-table.ts';

/**
 * What `train` takes: the settings of `ganglion train`, and what only a program can give. Each setting has the same default. Without a
 * folder, those of its files (`checkpointEvery`, `keep`, `samplesEvery`, `tensorboard`) have no effect.
 */
export interface TrainOptions extends Partial<Omit<Settings, 'run' | 'metricsPort'>> {
  /** Folder of the run: log, samples, checkpoints, report, as `ganglion train` writes them. Default: nothing is written. */
  readonly run?: string;
  /**
   * Folder of a run to resume from its newest valid checkpoint; or `auto`: the run in the folder `run` where there is one, else a new
   * one. One that is finished has no steps left: nothing is trained.
   */
  readonly resume?: string;
  /** Port of the live page and of /metrics, for a training with a folder; 0 picks a free one. Default: no port is opened. */
  readonly metricsPort?: Settings['metricsPort'];
  /** Stops training in order: the step under way is done, and the iteration ends after it. */
  readonly signal?: AbortSignal;
  /** Receives what a person might want to know, such as why another backend is taken. Default: nobody does. */
  readonly onNotice?: (message: string) => void;
}

/** A training. It begins when its steps are iterated over, and waits after every step until the next one is asked for. */
export interface Training extends AsyncIterable<StepLog> {
  /**
   * Writes a checkpoint of the state after the newest step. Inside of the loop that is the step of the loop.
   *
   * @param path of the file; without one, the run's folder gets it, where `keep` may remove it later
   * @throws GanglionError `usage` before training has begun, or without a path where there is no folder; `environment` when it cannot
   *   be written
   */
  checkpoint(path?: string): Promise<SavedCheckpoint>;
  /**
   * Draws images with the generator as it is after the newest step, the averaged one where the run keeps it.
   *
   * @throws GanglionError `usage` before training has begun
   */
  sample(options?: SampleOptions): Promise<Images>;
  /** SHA-256 of the state after the newest step, in hex: equal exactly when every tensor and counter is equal to the bit. */
  stateSha256(): Promise<string>;
}

/** Which images to draw. */
export interface SampleOptions {
  /** From 1 to 65,536. Default: 64. */
  readonly count?: number;
  /** Image i depends on the seed, i and the weights only. From 0. Default: 1. */
  readonly seed?: number;
}

/** Images in one array, row-major, values in [-1, 1]: -1 is black. */
export interface Images {
  /** Shape [count, ...shape]. */
  readonly values: Float32Array;
  readonly count: number;
  /** Height, width and channels. */
  readonly shape: ImageShape;
}

/** A checkpoint on the disk. */
export interface SavedCheckpoint {
  readonly path: string;
  /** Steps done in its state. */
  readonly step: number;
  readonly stateSha256: string;
}
