// From settings to everything that a training needs: data, state, number of steps. Reads and checks; changes nothing.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { GanglionError } from '../../shared/error.ts';
import { dcgan28, imageShapeOf } from '../../shared/model/spec.ts';
import { listCheckpoints, newestCheckpoint } from '../checkpoints/checkpoint.ts';
import type { Dataset } from '../data/dataset.ts';
import { loadIdxFolder } from '../data/idx-folder.ts';
import { loadMnistPackage } from '../data/mnist-package.ts';
import { countPhysicalCores } from '../machine/cores.ts';
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
import { countStepsPerEpoch } from '../training/sampler.ts';
import { initialState, type TrainingState } from '../training/state.ts';
import type { RunPlan } from './run-plan.ts';

/** A training, with or without a folder, before it is known what computes. */
export interface TrainingPlan {
  /** As given, with the number of workers and the folder of the data filled in. */
  readonly settings: Settings & { readonly workers: number };
  readonly dataset: Dataset;
  readonly state: TrainingState;
  readonly workers: number;
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly faults: FaultPlan | null;
}

/**
 * @param previous state to resume from; default: a new one from the seed
 * @throws GanglionError when settings, data and state do not fit together
 */
export function planTraining(given: Settings, previous?: TrainingState): TrainingPlan {
  const dataset = given.data === null ? loadMnistPackage() : loadIdxFolder(given.data);
  if (dataset.count < given.batch) {
    throw new GanglionError(
      'usage',
      `--batch ${given.batch}: expected at most the ${dataset.count} images of the data`,
    );
  }
  const workers = given.workers === 'auto' ? Math.min(countPhysicalCores(), given.shards) : given.workers;
  const settings = { ...given, workers, data: given.data === null ? null : resolve(given.data) };
  const stepsPerEpoch = countStepsPerEpoch({ count: dataset.count, batch: settings.batch });
  const totalSteps = settings.steps ?? (settings.epochs ?? 0) * stepsPerEpoch;
  const state = previous ?? initialState(dcgan28(settings.latent), settings.seed);
  const [expected, got] = [imageShapeOf(state.spec), dataset.imageShape].map((shape) => shape.join(' x '));
  if (got !== expected) throw new GanglionError('data', `${dataset.name}: expected images of ${expected}, got ${got}`);
  const faults = settings.fault === null ? null : readFaultPlan(settings.fault, settings.shards);
  return { settings, dataset, state, workers, totalSteps, stepsPerEpoch, faults };
}

/** A recorded run, before it is known what computes. */
export interface PlannedRun extends Omit<RunPlan, 'config'> {
  readonly config: RunConfig;
}

export interface PlanRequest {
  /** Settings that were given; later ones win. Those of a run that is resumed come before them. */
  readonly layers: readonly Partial<Settings>[];
  /** Folder of the run, absolute. */
  readonly path: string;
  /** Whether to resume the run in that folder. */
  readonly resumes: boolean;
  readonly profile?: RunPlan['profile'];
  /** Receives a message for every checkpoint that does not verify and is skipped. */
  readonly onNotice: (message: string) => void;
}

/** Reads and checks everything that a run needs. @throws GanglionError */
export function planRun({ layers, path, resumes, profile = null, onNotice }: PlanRequest): PlannedRun {
  const previous = resumes ? openPrevious(path, onNotice) : undefined;
  const merged = mergeSettings(...(previous ? [toSettings(previous.config)] : []), ...layers);
  const { settings, ...plan } = planTraining(merged, previous?.state);
  const config = toRunConfig({ ...settings, run: path }, plan.dataset);
  if (previous) checkResumable(previous.config, config);
  const before = plan.state.step > 0 ? previous?.config : undefined;
  const { chosenBackend: backendBefore = null, arithmetic: arithmeticBefore = null } = before ?? {};
  const apiToken = settings.apiToken;
  return { ...plan, config, path, resumed: resumes, backendBefore, arithmeticBefore, apiToken, profile };
}

/**
 * Checks that a run can start or resume: its folder is new, or the run is not at its end. A run killed between its last checkpoint
 * and its summary has that still to write.
 *
 * @throws GanglionError `usage`
 */
export function checkCanBegin({ path, state, totalSteps, resumed }: PlannedRun): void {
  if (!resumed) {
    checkNewRunFolder(path);
    return;
  }
  const { step } = state;
  if (step > totalSteps || (step === totalSteps && hasSummaryOf(runFolderAt(path), step))) {
    const message = `${path} is at step ${step} of ${totalSteps}; go further with --steps or --epochs`;
    throw new GanglionError('usage', message);
  }
}

function openPrevious(
  path: string,
  onNotice: PlanRequest['onNotice'],
): { readonly config: StoredRunConfig; readonly state: TrainingState } {
  const folder = runFolderAt(path);
  if (listCheckpoints(folder.checkpoints).length === 0 && existsSync(folder.config)) {
    // It ended before its first checkpoint: starting over loses nothing.
    const config = readStoredConfig(folder.config);
    return { config, state: initialState(dcgan28(config.latent), config.seed) };
  }
  const checkpoint = newestCheckpoint(folder.checkpoints, (message) => onNotice(`${message}; using the previous one`));
  return { config: storedConfig(checkpoint), state: checkpoint.state };
}

/** Faults are planned for one process: a resumed run has none. */
function toSettings(config: StoredRunConfig): StoredSettings {
  const { format: _, arithmetic: _a, dataName: __, dataSha256: ___, chosenBackend: ____, ...settings } = config;
  return { ...settings, fault: null };
}
