// What a run is: its settings and the identity of its data. Stored in config.json and in every checkpoint, compared on resume.
import { dirname } from 'node:path';
import { ARITHMETIC } from '../../shared/arithmetic.ts';
import { BACKENDS, type Backend } from '../../shared/backend.ts';
import { GanglionError } from '../../shared/error.ts';
import { imageShapeOf } from '../../shared/model/spec.ts';
import { show } from '../../shared/printable.ts';
import type { Checkpoint } from '../checkpoints/checkpoint.ts';
import type { Dataset } from '../data/dataset.ts';
import { fromSystemError } from '../files/atomic-file.ts';
import { parseJson } from '../files/json-text.ts';
import { MOST_TEXT_BYTES, readRegularSync } from '../files/regular-file.ts';
import { defaultSettings, fromConfigObject } from '../settings/settings.ts';
import { flagOf, IMMUTABLE_SETTINGS, type Settings, type StoredSettings } from '../settings/settings-table.ts';
import { countTotalSteps } from '../training/sampler.ts';
import { lastEngine } from './last-engine.ts';

/** Raised when a stored name gets another meaning. Before there was a number, `cpu` meant `js`, and `native` was a backend. */
const CONFIG_FORMAT = 2;
/** The arithmetic of runs whose config has no number of it. */
const BEFORE_NUMBERS = 1;

/** What the runs had that lack these settings, which belong to the recipe or the model. */
const BEFORE_RECIPE = { ema: 'off', lrG: null, lrD: null, lrDecay: 'off', labelSmoothing: 0, from: null } as const;
const BEFORE_SETTINGS = { ...BEFORE_RECIPE, imageSize: 28, channels: 1, width: 1 } as const;

export interface RunConfig extends StoredSettings {
  readonly format: typeof CONFIG_FORMAT;
  /** Number of docs/arithmetic.md. */
  readonly arithmetic: number;
  readonly dataName: string;
  readonly dataSha256: string;
  /** What was done to the images, for people; null for nothing. */
  readonly dataPreparation: string | null;
}

/** As config.json and checkpoints hold it. */
export interface StoredRunConfig extends RunConfig {
  /** What has computed the newest steps: the setting may say `auto`, which another machine takes otherwise. */
  readonly chosenBackend: Backend;
}

export function toRunConfig({ apiToken: _, ...settings }: Settings, dataset: Dataset): RunConfig {
  return {
    format: CONFIG_FORMAT,
    arithmetic: ARITHMETIC,
    ...settings,
    dataName: dataset.name,
    dataSha256: dataset.sha256,
    dataPreparation: dataset.preparation,
  };
}

/** The config stored in a checkpoint. @throws GanglionError `checkpoint` when it is not one. */
export function storedConfig({ config, path, state }: Checkpoint): StoredRunConfig {
  const stored = parseRunConfig(Buffer.from(config), path, dirname(dirname(path)));
  const { imageSize, channels } = stored;
  const [side, , depth] = imageShapeOf(state.spec);
  // Data is read in the shape that the config has.
  if (imageSize === side && channels === depth) return stored;
  const expected = `a model of images of ${imageSize} pixels in ${channels} channels, as its config says`;
  throw new GanglionError('checkpoint', `${path}: expected ${expected}, got ${side} pixels in ${depth}`);
}

/** The config in a run's config.json. @throws GanglionError `checkpoint` when it is not one. */
export function readStoredConfig(path: string): StoredRunConfig {
  try {
    return parseRunConfig(readRegularSync(path, MOST_TEXT_BYTES), path, dirname(path));
  } catch (error) {
    throw fromSystemError(`cannot read ${path}`, error, 'checkpoint');
  }
}

/** What a stored config holds beside settings, and its settings under the names of today. */
interface StoredParts {
  readonly arithmetic: unknown;
  readonly dataName: unknown;
  readonly dataSha256: unknown;
  readonly dataPreparation: unknown;
  readonly chosenBackend: unknown;
  readonly settings: Readonly<Record<string, unknown>>;
}

/**
 * Takes a stored config apart.
 *
 * @param run folder of the run; where a config has no format, what computed is looked up there
 * @throws GanglionError with `code` for a format of a later version
 */
export function storedParts(
  stored: Readonly<Record<string, unknown>>,
  source: string,
  run: string,
  code: 'config' | 'checkpoint' = 'config',
): StoredParts {
  // `ranOn` was its name before 0.2.
  const {
    format,
    arithmetic = BEFORE_NUMBERS,
    dataName,
    dataSha256,
    dataPreparation = null,
    ranOn,
    chosenBackend = ranOn,
    ...settings
  } = stored;
  if (format === CONFIG_FORMAT) return { arithmetic, dataName, dataSha256, dataPreparation, chosenBackend, settings };
  if (format !== undefined) {
    const message = `${source}: expected format ${CONFIG_FORMAT} of its config, got ${show(format)}: a newer Ganglion has written it`;
    throw new GanglionError(code, message);
  }
  const rename = (name: unknown): unknown => {
    if (name === 'cpu') return 'js';
    if (name !== 'native') return name;
    return lastEngine(run)?.startsWith('tensorflow-') ? 'tensorflow' : 'cpu';
  };
  // Before there were other backends, all ran on native.
  const { backend, ...others } = settings;
  const named = backend === undefined ? others : { ...others, backend: rename(backend) };
  const identity = { dataName, dataSha256, dataPreparation };
  return { arithmetic, ...identity, chosenBackend: rename(chosenBackend ?? 'native'), settings: named };
}

function parseRunConfig(bytes: Uint8Array, path: string, run: string): StoredRunConfig {
  const fail = (cause?: unknown): never => {
    throw new GanglionError('checkpoint', `${path}: its config cannot be read`, { cause });
  };
  try {
    const stored = parseJson(bytes, path, 'config');
    if (typeof stored !== 'object' || stored === null) return fail();
    const { arithmetic, dataName, dataSha256, dataPreparation, chosenBackend, settings } = storedParts(
      { ...stored },
      path,
      run,
      'checkpoint',
    );
    const backend = BACKENDS.find((name) => name === chosenBackend);
    if (typeof arithmetic !== 'number' || !Number.isSafeInteger(arithmetic)) return fail();
    if (typeof dataName !== 'string' || typeof dataSha256 !== 'string' || !backend) return fail();
    if (typeof dataPreparation !== 'string' && dataPreparation !== null) return fail();
    const given = { ...BEFORE_SETTINGS, ...fromConfigObject(settings, path) };
    if (IMMUTABLE_SETTINGS.some((name) => given[name] === undefined)) return fail();
    // A run of an earlier version may lack a setting that came later; none of those changes what is trained.
    const { apiToken: _, ...complete } = { ...defaultSettings(), ...given };
    const identity = { dataName, dataSha256, dataPreparation };
    return { format: CONFIG_FORMAT, arithmetic, ...complete, ...identity, chosenBackend: backend };
  } catch (error) {
    if (error instanceof GanglionError && error.code === 'checkpoint') throw error; // it says more
    return fail(error);
  }
}

/**
 * Refuses to go on with another model, data or optimiser.
 *
 * @param stepsPerEpoch of the data
 * @throws GanglionError `config` that names every difference
 */
export function checkResumable(stored: RunConfig, now: RunConfig, stepsPerEpoch: number): void {
  const differences = IMMUTABLE_SETTINGS.filter((name) => stored[name] !== now[name]).map(
    (name) => `${flagOf(name)} ${now[name]} (the run has ${stored[name]})`,
  );
  const isOneShape = stored.imageSize === now.imageSize && stored.channels === now.channels;
  if (isOneShape && stored.dataSha256 !== now.dataSha256) {
    differences.push(
      `--data: ${now.dataName}, SHA-256 ${now.dataSha256.slice(0, 12)} (the run has ${stored.dataName}, ${stored.dataSha256.slice(0, 12)})`,
    );
  }
  const [before, after] = [stored, now].map((config) => countTotalSteps(config, stepsPerEpoch));
  if (stored.lrDecay !== 'off' && before !== after) {
    differences.push(
      `end: ${after} total steps (--lr-decay ${stored.lrDecay} comes to 0 after the run's ${before}; branch off with --from)`,
    );
  }
  if (differences.length > 0)
    throw new GanglionError('config', `cannot resume with another ${differences.join('; another ')}`);
}
