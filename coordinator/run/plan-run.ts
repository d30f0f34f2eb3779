// From settings to everything that a training needs: data, state, number of steps. Reads and checks; changes nothing.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseDevices } from '../../shared/device.ts';
import { GanglionError } from '../../shared/error.ts';
import { describeWidth, IMAGE_SIDES, type ModelChoice } from '../../shared/model/spec.ts';
import { listCheckpoints, newestCheckpoint } from '../checkpoints/checkpoint.ts';
import type { Dataset } from '../data/dataset.ts';
import { loadData } from '../data/load-data.ts';
import { countPhysicalCores } from '../machine/cores.ts';
import { localRanks } from '../machine/rank.ts';
import { type FaultPlan, readFaultPlan } from '../replicas/fault-plan.ts';
import {
  checkResumable,
  type RunConfig,
  readStoredConfig,
  type StoredRunConfig,
  storedConfig,
  toRunConfig,
} from '../run-folder/run-config.ts';
import { checkNewRunFolder, runFolderAt } from '../run-folder/run-folder.ts';
import { hasSummaryOf } from '../run-folder/summary.ts';
import { mergeSettings } from '../settings/settings.ts';
import type { Settings, StoredSettings } from '../settings/settings-table.ts';
import { countStepsPerEpoch, countTotalSteps } from '../training/sampler.ts';
import type { TrainingState } from '../training/state.ts';
import { firstState } from './first-state.ts';
import type { RunPlan } from './run-plan.ts';

/** Settings whose model is known. */
type FittedSettings = Settings & Pick<ModelChoice, 'imageSize' | 'channels'>;

/** A training, with or without a folder, before it is known what computes. */
export interface TrainingPlan {
  /** As given, with the number of workers, the folder of the data and the shape of its images filled in. */
  readonly settings: FittedSettings & { readonly workers: number };
  readonly dataset: Dataset;
  readonly state: TrainingState;
  readonly workers: number;
  /** Whether the number of workers was left to Ganglion. */
  readonly autoWorkers: boolean;
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly faults: FaultPlan | null;
}

/** What becomes of a request while data is read. */
export interface PlanHost {
  /** Whether to give up: reading many images takes its time. */
  readonly shouldStop?: () => boolean;
  /** Called now and then with images read and in all. */
  readonly onReading?: (done: number, total: number) => void;
  /** Receives messages for people, such as what of the data is left out. */
  readonly onNotice?: (message: string) => void;
  /** Images that another node has sent, in place of those that the settings name. */
  readonly dataset?: Dataset | undefined;
}

/** Thrown where the program was asked to stop before there was anything to stop. */
export class StoppedEarly extends Error {}

/**
 * @param previous state to resume from; default: a new one from the seed
 * @throws GanglionError when settings, data and state do not fit together
 * @throws StoppedEarly
 */
export async function planTraining(
  given: Settings,
  previous?: TrainingState,
  { shouldStop = () => false, onReading = () => {}, onNotice = () => {}, dataset: sent }: PlanHost = {},
): Promise<TrainingPlan> {
  const { imageSize } = given;
  if (imageSize !== 'auto') checkWidth({ ...given, imageSize }); // before the images are read
  const onProgress = (done: number, total: number): void => {
    if (shouldStop()) throw new StoppedEarly();
    onReading(done, total);
  };
  const dataset = sent ?? (await loadData({ settings: given, onProgress, onNotice }));
  if (dataset.count < given.batch) {
    throw new GanglionError(
      'usage',
      `--batch ${given.batch}: expected at most the ${dataset.count} images of the data`,
    );
  }
  const shape = shapeOf(dataset);
  checkWidth({ ...given, ...shape });
  const absolute = (path: string | null): string | null => (path === null ? null : resolve(path));
  const fitted = { ...given, ...shape, data: absolute(given.data), from: absolute(given.from) };
  const state = previous ?? firstState(fitted, onNotice);
  const autoWorkers = given.workers === 'auto';
  const workers = given.workers === 'auto' ? countWorkers(given) : given.workers;
  const settings = { ...fitted, workers };
  const stepsPerEpoch = countStepsPerEpoch({ count: dataset.count, batch: settings.batch });
  const totalSteps = countTotalSteps(settings, stepsPerEpoch);
  const faults = settings.fault === null ? null : readFaultPlan(settings.fault, settings.shards);
  return { settings, dataset, state, workers, autoWorkers, totalSteps, stepsPerEpoch, faults };
}

/** The settings that a dataset's shape is. */
function shapeOf({ imageShape: [side, , channels] }: Dataset): Pick<ModelChoice, 'imageSize' | 'channels'> {
  const imageSize = IMAGE_SIDES.find((known) => known === side);
  if (imageSize === undefined || (channels !== 1 && channels !== 3)) throw new Error(`no model of ${side} pixels`);
  return { imageSize, channels };
}

/** @throws GanglionError `usage` for a width that there is not */
function checkWidth(choice: Pick<ModelChoice, 'imageSize' | 'width'>): void {
  const expected = describeWidth(choice);
  if (expected !== undefined) throw new GanglionError('usage', `--width ${choice.width}: ${expected}`);
}

/** One a device where they are named, else one a core of this node's share; on GPUs that `auto` finds it is one a GPU. */
function countWorkers({ devices, shards }: Pick<Settings, 'devices' | 'shards'>): number {
  if (devices !== 'auto') return parseDevices(devices).length;
  return Math.max(1, Math.min(Math.floor(countPhysicalCores() / localRanks()), shards));
}

/** A recorded run, before it is known what computes. */
export interface PlannedRun extends Omit<RunPlan, 'config' | 'devices'>, Pick<TrainingPlan, 'autoWorkers'> {
  readonly config: RunConfig;
}

/** In place of a folder to resume: the run in the run's folder where there is one, else a new run. */
export const AUTO = 'auto';

export interface PlanRequest extends PlanHost {
  /** Settings that were given; later ones win. Those of a run that is resumed come before them. */
  readonly layers: readonly Partial<Settings>[];
  /** Folder of the run, absolute. */
  readonly path: string;
  /** Whether to resume the run in that folder. */
  readonly resumes: boolean | typeof AUTO;
  readonly profile?: RunPlan['profile'];
  /** Receives a message for every checkpoint that does not verify and is skipped, too. */
  readonly onNotice: (message: string) => void;
}

/** Reads and checks everything that a run needs. @throws GanglionError @throws StoppedEarly */
export async function planRun({
  layers,
  path,
  resumes,
  profile = null,
  onNotice,
  ...host
}: PlanRequest): Promise<PlannedRun> {
  const resumed = resumes === AUTO ? hasCheckpoints(path) : resumes;
  const previous = resumed ? openPrevious(path, onNotice) : undefined;
  const merged = mergeSettings(...(previous ? [toSettings(previous.config)] : []), ...layers);
  const given = previous ? withShapeOf(previous.config, merged) : merged;
  const { settings, ...plan } = await planTraining(given, previous?.state, { ...host, onNotice });
  const config = toRunConfig({ ...settings, run: path }, plan.dataset);
  if (previous) checkResumable(previous.config, config, plan.stepsPerEpoch);
  const before = plan.state.step > 0 ? previous?.config : undefined;
  const { chosenBackend: backendBefore = null, arithmetic: arithmeticBefore = null } = before ?? {};
  const apiToken = settings.apiToken;
  return { ...plan, config, path, resumed, backendBefore, arithmeticBefore, apiToken, profile };
}

/** Whether a run has come to its end, and has nothing left to write. */
export function isFinished({ path, state: { step }, totalSteps, resumed }: PlannedRun): boolean {
  return resumed && step === totalSteps && hasSummaryOf(runFolderAt(path), step);
}

/** What to say of a run that has come to its end, or beyond that. */
export function describeEnd({ path, state: { step }, totalSteps, config }: PlannedRun): string {
  const further = config.lrDecay === 'off' ? 'go further with --steps or --epochs' : 'branch off with --from';
  return `${path} is at step ${step} of ${totalSteps}; ${further}`;
}

/**
 * Checks that a run can start or resume: its folder is new, or the run is not at its end. A run killed between its last checkpoint
 * and its summary has that still to write.
 *
 * @throws GanglionError `usage`
 */
export function checkCanBegin(planned: PlannedRun): void {
  const { path, state, totalSteps, resumed } = planned;
  if (!resumed) checkNewRunFolder(path);
  else if (state.step > totalSteps || isFinished(planned)) throw new GanglionError('usage', describeEnd(planned));
}

/** Whether there is something to go on with: a run that was killed before its first checkpoint begins again, which loses nothing. */
function hasCheckpoints(path: string): boolean {
  return existsSync(path) && listCheckpoints(runFolderAt(path).checkpoints).length > 0;
}

function openPrevious(
  path: string,
  onNotice: PlanRequest['onNotice'],
): { readonly config: StoredRunConfig; readonly state: TrainingState | undefined } {
  const folder = runFolderAt(path);
  if (listCheckpoints(folder.checkpoints).length === 0) {
    if (!existsSync(folder.config)) {
      const message = `${path}: expected a valid checkpoint, got no checkpoint; begin a run there with --run ${path}`;
      throw new GanglionError('checkpoint', message);
    }
    // It ended before its first checkpoint: starting over loses nothing.
    return { config: readStoredConfig(folder.config), state: undefined };
  }
  const checkpoint = newestCheckpoint(folder.checkpoints, (message) => onNotice(`${message}; using the previous one`));
  return { config: storedConfig(checkpoint), state: checkpoint.state };
}

/** A run that goes on has the shape that it was begun with, also where `auto` is asked for again. */
function withShapeOf({ imageSize, channels }: StoredRunConfig, given: Settings): Settings {
  return {
    ...given,
    imageSize: given.imageSize === 'auto' ? imageSize : given.imageSize,
    channels: given.channels === 'auto' ? channels : given.channels,
  };
}

/** Faults are planned for one process: a resumed run has none. */
function toSettings(config: StoredRunConfig): StoredSettings {
  const {
    format: _,
    arithmetic: _a,
    dataName: __,
    dataSha256: ___,
    dataPreparation: _p,
    chosenBackend: ____,
    ...settings
  } = config;
  return { ...settings, fault: null };
}
