// Ganglion as a library: `import { train, Generator, openRun } from 'ganglion'`. Nothing here prints, listens to signals, opens a port
// or makes a folder unless it is asked to. docs/library.md shows it at work.
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { GanglionError } from '../../shared/error.ts';
import { imageShapeOf } from '../../shared/model/spec.ts';
import { type Checkpoint, newestCheckpoint, readCheckpoint } from '../checkpoints/checkpoint.ts';
import { draw } from '../run/draw.ts';
import { AUTO } from '../run/plan-run.ts';
import { PROGRAMS } from '../run/programs.ts';
import { resolveDevices } from '../run/resolve-devices.ts';
import { StopSwitch } from '../run/stop.ts';
import { storedConfig } from '../run-folder/run-config.ts';
import { checkIsRun, runFolderAt } from '../run-folder/run-folder.ts';
import { chooseWeights } from '../run-folder/weights.ts';
import { fromConfigObject } from '../settings/settings.ts';
import type { Settings } from '../settings/settings-table.ts';
import type { Images, SampleOptions, Training, TrainOptions } from './api.ts';
import { quietProgram } from './quiet-program.ts';
import { checkSampleOptions } from './sample-options.ts';
import { openStoredRun, type StoredRun } from './stored-run.ts';
import { DrivenTraining } from './training.ts';

export type { SkippedUpdate, StepLog } from '../run-folder/step-log.ts';
export type { Summary } from '../run-folder/summary.ts';
export type { Images, SampleOptions, SavedCheckpoint, Training, TrainOptions } from './api.ts';
export type { StoredCheckpoint } from './stored-run.ts';
export type { StoredRun };
export { GanglionError };

const silent = (): void => {};

/**
 * Trains the DCGAN. The weights depend on the settings and the data, not on the number of workers: they are those of `ganglion train`
 * with the same settings.
 *
 * ```js
 * for await (const { step, lossG } of train({ steps: 60, seed: 7, workers: 2 })) console.log(step, lossG);
 * ```
 *
 * Training begins with the iteration and waits after every step until the next one is asked for. Leaving the loop stops it in order,
 * after the step under way, as `signal` does.
 *
 * @throws GanglionError `config` for a setting that cannot be; while iterating, everything by which a run can fail
 */
export function train(options: TrainOptions = {}): Training {
  const { run, resume, signal, onNotice = silent, ...given } = options;
  if (run !== undefined && resume !== undefined && resume !== AUTO && resolve(run) !== resolve(resume)) {
    throw new GanglionError(
      'usage',
      `train: resume ${resume} resumes the run in that folder; run ${run} names another`,
    );
  }
  const isAuto = resume === AUTO;
  if (isAuto && run === undefined) {
    throw new GanglionError('usage', `train: resume ${AUTO}: expected the folder of the run (run) with it`);
  }
  const path = isAuto ? run : (resume ?? run);
  const { metricsPort = 'off' } = given;
  if (path === undefined && metricsPort !== 'off') {
    throw new GanglionError('usage', `train: metricsPort ${metricsPort}: expected a folder of the run (run) with it`);
  }
  const settings = fromConfigObject({ ...withoutUndefined(given), metricsPort }, 'train');
  return new DrivenTraining(
    {
      layers: [settings],
      path: path === undefined ? null : resolve(path),
      resumes: isAuto ? AUTO : resume !== undefined,
    },
    {
      programs: PROGRAMS,
      stop: new StopSwitch(),
      chooseDevices: (chosen) => resolveDevices(chosen, PROGRAMS, quietProgram(onNotice)),
      onNotice,
      signal,
    },
  );
}

/** A generator that has been trained. */
export class Generator {
  /** Steps that its weights have been trained for. */
  readonly step: number;
  /** SHA-256 of the checkpoint's state, in hex. */
  readonly stateSha256: string;
  readonly #checkpoint: Checkpoint;
  readonly #backend: Settings['backend'];

  private constructor(checkpoint: Checkpoint, backend: Settings['backend']) {
    this.step = checkpoint.state.step;
    this.stateSha256 = checkpoint.stateSha256;
    this.#checkpoint = checkpoint;
    this.#backend = backend;
  }

  /**
   * Reads and verifies a checkpoint.
   *
   * @param path a checkpoint file, or the folder of a run: its newest valid checkpoint
   * @param options.backend what draws; default: as the run was told
   * @throws GanglionError `checkpoint` when there is none, or it is damaged
   */
  static open(path: string, options: { readonly backend?: Settings['backend'] } = {}): Generator {
    const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
    const checkpoint = isFolder ? newestCheckpoint(runFolderAt(path).checkpoints, silent) : readCheckpoint(path);
    return new Generator(checkpoint, options.backend ?? storedConfig(checkpoint).backend);
  }

  /**
   * Draws images, with the averaged weights where the run keeps an average, on a thread that ends with the call; image i depends on (seed, i) and the weights only.
   *
   * @throws GanglionError `usage` for options that cannot be, `environment` when the backend cannot run here
   */
  async draw(options?: SampleOptions): Promise<Images> {
    const { count, seed } = checkSampleOptions(options);
    const { state } = chooseWeights(this.#checkpoint, undefined);
    const chosen = { backend: this.#backend, devices: 'auto' } as const;
    const [device] = await resolveDevices(chosen, PROGRAMS, quietProgram(silent));
    const values = await draw(state, { count, seed }, { device, programs: PROGRAMS });
    return { values, count, shape: imageShapeOf(state.spec) };
  }
}

/**
 * Opens the folder of a run, finished or not, for reading.
 *
 * @throws GanglionError `usage` when there is no run, `checkpoint` when its config cannot be read
 */
export function openRun(path: string): StoredRun {
  checkIsRun(path);
  return openStoredRun(runFolderAt(resolve(path)));
}

/** What is not given takes its default. */
function withoutUndefined(given: object): object {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
