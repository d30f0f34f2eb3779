// `ganglion train`: from flags, config file and an earlier run to a complete config; then runs it.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { fromSystemError } from '../atomic-file.ts';
import { type Checkpoint, newestCheckpoint } from '../checkpoint.ts';
import { countPhysicalCores } from '../cores.ts';
import { loadIdxFolder } from '../data/idx-folder.ts';
import { loadMnistPackage } from '../data/mnist-package.ts';
import { runTraining } from '../run.ts';
import { checkResumable, type RunConfig, storedConfig, toRunConfig } from '../run-config.ts';
import { newRunPath, runFolderAt } from '../run-folder.ts';
import { stepsPerEpoch } from '../sampler.ts';
import { fromConfigObject, mergeSettings, type Settings } from '../settings.ts';
import { initialState } from '../state.ts';
import { ensureLibrary } from '../worker-programs.ts';

export interface TrainRequest {
  /** Settings given as flags. */
  readonly flags: Partial<Settings>;
  readonly configFile: string | undefined;
  /** Folder of a run to go on with. */
  readonly resume: string | undefined;
  readonly dryRun: boolean;
  /** Compiled entry file of the replicas. */
  readonly threadEntry: URL;
}

/** Runs the command. @throws GanglionError */
export async function trainCommand(request: TrainRequest): Promise<void> {
  const file = request.configFile === undefined ? {} : readConfigFile(request.configFile);
  const previous = request.resume === undefined ? undefined : openPrevious(request.resume, request.flags.run);
  const layers = previous ? [toSettings(previous.config), file, request.flags] : [file, request.flags];
  const settings = mergeSettings(...layers);
  const dataset = settings.data === null ? loadMnistPackage() : loadIdxFolder(settings.data);
  if (dataset.count < settings.batch) {
    throw new GanglionError(
      'usage',
      `--batch ${settings.batch}: expected at most the ${dataset.count} images of the data`,
    );
  }
  const workers = settings.workers === 'auto' ? Math.min(countPhysicalCores(), settings.shards) : settings.workers;
  const path = resolve(request.resume ?? settings.run ?? newRunPath(new Date(), settings.seed));
  const data = settings.data === null ? null : resolve(settings.data);
  const config = toRunConfig({ ...settings, workers, run: path, data }, dataset);
  if (previous) checkResumable(previous.config, config);
  const perEpoch = stepsPerEpoch({ count: dataset.count, batch: config.batch });
  const lastStep = config.steps ?? (config.epochs ?? 0) * perEpoch;
  if (request.dryRun) {
    process.stdout.write(`${JSON.stringify({ ...config, lastStep }, null, 2)}\n`);
    return;
  }
  const state = previous?.checkpoint.state ?? initialState(config.latent, config.seed);
  if (previous && state.step >= lastStep) {
    const message = `${path} is at step ${state.step} of ${lastStep}; go further with --steps or --epochs`;
    throw new GanglionError('usage', message);
  }
  await ensureLibrary();
  const { threadEntry } = request;
  await runTraining({
    config,
    path,
    workers,
    dataset,
    state,
    lastStep,
    perEpoch,
    resumed: previous !== undefined,
    threadEntry,
  });
}

function readConfigFile(path: string): Partial<Settings> {
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
  return fromConfigObject(value, path);
}

function openPrevious(path: string, run: string | null | undefined): { checkpoint: Checkpoint; config: RunConfig } {
  if (run != null && resolve(run) !== resolve(path)) {
    throw new GanglionError('usage', `--resume ${path} goes on in that folder; --run ${run} names another`);
  }
  const checkpoint = newestCheckpoint(runFolderAt(path).checkpoints, (message) => {
    process.stderr.write(`ganglion: ${message}; using the one before\n`);
  });
  return { checkpoint, config: storedConfig(checkpoint) };
}

function toSettings({ dataName: _, dataSha256: __, ...settings }: RunConfig): Settings {
  return settings;
}
