// `ganglion train`: from flags, config file and an earlier run to a complete config; then runs it.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { dcgan28, imageShapeOf } from '../../shared/model/spec.ts';
import { listCheckpoints, newestCheckpoint } from '../checkpoints/checkpoint.ts';
import { loadIdxFolder } from '../data/idx-folder.ts';
import { loadMnistPackage } from '../data/mnist-package.ts';
import { fromSystemError } from '../files/atomic-file.ts';
import { lockRunFolder } from '../files/run-lock.ts';
import { countPhysicalCores } from '../machine/cores.ts';
import { createTerminal } from '../monitoring/terminal.ts';
import { readFaultPlan } from '../replicas/fault-plan.ts';
import type { Programs } from '../run/programs.ts';
import { RecordedRun } from '../run/recorded-run.ts';
import type { RunPlan } from '../run/run-plan.ts';
import { StopSwitch } from '../run/stop.ts';
import {
  checkResumable,
  type RunConfig,
  readStoredConfig,
  type StoredRunConfig,
  storedConfig,
  storedParts,
  toRunConfig,
} from '../run-folder/run-config.ts';
import { checkNewRunFolder, newRunPath, runFolderAt } from '../run-folder/run-folder.ts';
import { hasSummaryOf } from '../run-folder/summary.ts';
import { fromConfigObject, mergeSettings } from '../settings/settings.ts';
import type { Settings, StoredSettings } from '../settings/settings-table.ts';
import { countStepsPerEpoch } from '../training/sampler.ts';
import { initialState, type TrainingState } from '../training/state.ts';
import { listenToSignals } from './stop-signals.ts';
import { chooseBackend } from './worker-programs.ts';

export interface TrainRequest {
  /** Settings given as flags. */
  readonly flags: Partial<Settings>;
  /** Settings given by the environment; flags win over them, and they win over the config file. */
  readonly environment: Partial<Settings>;
  readonly configFile: string | undefined;
  /** Folder of a run to resume. */
  readonly resume: string | undefined;
  readonly dryRun: boolean;
  /** File of a profile of some steps of this process. */
  readonly profile: RunPlan['profile'];
  readonly programs: Programs;
}

/** Runs the command. @throws GanglionError */
export async function trainCommand(request: TrainRequest): Promise<void> {
  const file = request.configFile === undefined ? {} : readConfigFile(request.configFile, request.resume !== undefined);
  const path = resolve(request.resume ?? pathOfNewRun(mergeSettings(file, request.flags)));
  if (request.dryRun) {
    const { config, totalSteps } = planRun(request, file, path);
    process.stdout.write(`${JSON.stringify({ ...config, totalSteps }, null, 2)}\n`);
    return;
  }
  // Before the run is read: another process may be about to change it.
  const release = await lockRunFolder(path);
  try {
    const plan = planRun(request, file, path);
    if (plan.resumed) checkUnfinished(plan);
    else checkNewRunFolder(path);
    const ranOn = await chooseBackend(plan.config.backend);
    await runOnTerminal({ ...plan, config: { ...plan.config, ranOn } }, request.programs);
  } finally {
    release();
  }
}

/** Trains with this process's terminal and signals. */
async function runOnTerminal(plan: RunPlan, programs: Programs): Promise<void> {
  const terminal = createTerminal(process.stdout, { batch: plan.config.batch, totalSteps: plan.totalSteps });
  const stop = new StopSwitch();
  const ignoreSignals = listenToSignals(stop);
  try {
    await new RecordedRun(plan, { programs, stop, terminal }).run();
  } finally {
    terminal.finish();
    ignoreSignals();
  }
}

function pathOfNewRun({ run, seed }: Settings): string {
  return run ?? newRunPath(new Date(), seed);
}

/** A run, before it is known what computes. */
interface PlannedRun extends Omit<RunPlan, 'config'> {
  readonly config: RunConfig;
}

/** Reads and checks everything that a run needs; changes nothing. */
function planRun(request: TrainRequest, file: Partial<Settings>, path: string): PlannedRun {
  const { resume, configFile, flags, environment, profile } = request;
  if (resume !== undefined) {
    checkSameFolder(resume, flags.run, '--run');
    checkSameFolder(resume, file.run, `${configFile}: run`);
  }
  const previous = resume === undefined ? undefined : openPrevious(resume);
  const layers = previous ? [toSettings(previous.config), file, environment, flags] : [file, environment, flags];
  const settings = mergeSettings(...layers);
  const dataset = settings.data === null ? loadMnistPackage() : loadIdxFolder(settings.data);
  if (dataset.count < settings.batch) {
    throw new GanglionError(
      'usage',
      `--batch ${settings.batch}: expected at most the ${dataset.count} images of the data`,
    );
  }
  const workers = settings.workers === 'auto' ? Math.min(countPhysicalCores(), settings.shards) : settings.workers;
  const data = settings.data === null ? null : resolve(settings.data);
  const config = toRunConfig({ ...settings, workers, run: path, data }, dataset);
  if (previous) checkResumable(previous.config, config);
  const stepsPerEpoch = countStepsPerEpoch({ count: dataset.count, batch: config.batch });
  const totalSteps = config.steps ?? (config.epochs ?? 0) * stepsPerEpoch;
  const state = previous?.state ?? initialState(dcgan28(config.latent), config.seed);
  const [expected, got] = [imageShapeOf(state.spec), dataset.imageShape].map((shape) => shape.join(' x '));
  if (got !== expected) throw new GanglionError('data', `${dataset.name}: expected images of ${expected}, got ${got}`);
  const faults = config.fault === null ? null : readFaultPlan(config.fault, config.shards);
  const resumed = previous !== undefined;
  const ranOnBefore = previous && state.step > 0 ? previous.config.ranOn : null;
  const { apiToken } = settings;
  const taken = { workers, dataset, state, totalSteps, stepsPerEpoch, resumed, ranOnBefore };
  return { config, path, ...taken, apiToken, faults, profile };
}

/** A run killed between its last checkpoint and its summary has that still to write. */
function checkUnfinished({ path, state, totalSteps }: PlannedRun): void {
  const { step } = state;
  if (step > totalSteps || (step === totalSteps && hasSummaryOf(runFolderAt(path), step))) {
    const message = `${path} is at step ${step} of ${totalSteps}; go further with --steps or --epochs`;
    throw new GanglionError('usage', message);
  }
}

/** @param resumes whether the settings are for a run to resume */
function readConfigFile(path: string, resumes: boolean): Partial<Settings> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw fromSystemError(`cannot read config file ${path}`, error, 'config');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new GanglionError('config', `${path}: expected JSON, got an error: ${messageOf(error)}`, { cause: error });
  }
  if (!isStoredConfig(value)) return fromConfigObject(value, path);
  // config.json of a run names the run's own folder and data: a new run with its settings gets a folder of its own, and no faults.
  const { settings: stored } = storedParts(value, path, dirname(path));
  const { run, fault: _, ...settings } = fromConfigObject(stored, path);
  return resumes && run !== undefined ? { ...settings, run } : settings;
}

function isStoredConfig(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && 'dataName' in value && 'dataSha256' in value;
}

/** @param source what names `run` in the message */
function checkSameFolder(resume: string, run: string | null | undefined, source: string): void {
  if (run != null && resolve(run) !== resolve(resume)) {
    throw new GanglionError(
      'usage',
      `--resume ${resume} resumes the run in that folder; ${source} ${run} names another`,
    );
  }
}

function openPrevious(path: string): { readonly config: StoredRunConfig; readonly state: TrainingState } {
  const folder = runFolderAt(path);
  if (listCheckpoints(folder.checkpoints).length === 0 && existsSync(folder.config)) {
    // It ended before its first checkpoint: starting over loses nothing.
    const config = readStoredConfig(folder.config);
    return { config, state: initialState(dcgan28(config.latent), config.seed) };
  }
  const checkpoint = newestCheckpoint(folder.checkpoints, (message) => {
    process.stderr.write(`ganglion: ${message}; using the previous one\n`);
  });
  return { config: storedConfig(checkpoint), state: checkpoint.state };
}

/** Faults are planned for one process: a resumed run has none. */
function toSettings({
  format: _,
  dataName: __,
  dataSha256: ___,
  ranOn: ____,
  ...settings
}: StoredRunConfig): StoredSettings {
  return { ...settings, fault: null };
}
