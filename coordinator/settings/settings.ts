// Settings from where a user gives them: flags, environment, config file; checked one by one and together.
import { parseDevices } from '../../shared/device.ts';
import { GanglionError } from '../../shared/error.ts';
import { show, toPrintable } from '../../shared/printable.ts';
import { flagOf, SETTING_NAMES, SETTINGS, type SettingName, type Settings } from './settings-table.ts';

const TEXTS: readonly SettingName[] = [
  'devices',
  'data',
  'run',
  'from',
  'allowedHosts',
  'basePath',
  'apiToken',
  'fault',
];

/** Characters of a name that is none of a setting, in its message. */
const MOST_NAME = 100;

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** A flag's text as a number where it is one, for settings that take numbers. */
function fromText(name: SettingName, given: string): unknown {
  return !TEXTS.includes(name) && NUMBER.test(given) ? Number(given) : given;
}

/**
 * Checks one value.
 *
 * @param given text of a flag, or a value of a config file
 * @param source what to call it in the message: `--batch`, `config.json: batch`
 * @throws GanglionError with `code`, naming the value and what was expected
 */
function checkValue(name: SettingName, given: unknown, source: string, code: 'usage' | 'config'): unknown {
  const { schema, expected, secret } = SETTINGS[name];
  const parsed = schema.safeParse(given);
  const got = secret ? 'something else, which is not shown' : show(given);
  if (!parsed.success) throw new GanglionError(code, `${source}: expected ${expected}, got ${got}`);
  return parsed.data;
}

/** Checks the texts of flags. @throws GanglionError `usage`. */
export function fromFlags(flags: Readonly<Partial<Record<SettingName, string>>>): Partial<Settings> {
  const settings: Partial<Record<SettingName, unknown>> = {};
  for (const name of SETTING_NAMES) {
    const given = flags[name];
    if (given !== undefined) settings[name] = checkValue(name, fromText(name, given), flagOf(name), 'usage');
  }
  return settings as Partial<Settings>;
}

const VARIABLES = { apiToken: 'GANGLION_API_TOKEN', backend: 'GANGLION_BACKEND' } as const;

/** Settings of the environment; an empty variable counts as none. @throws GanglionError `usage`. */
export function fromEnvironment(env: NodeJS.ProcessEnv): Partial<Settings> {
  const settings: Partial<Record<SettingName, unknown>> = {};
  for (const name of ['apiToken', 'backend'] as const) {
    const given = env[VARIABLES[name]];
    if (given !== undefined && given !== '') settings[name] = checkValue(name, given, VARIABLES[name], 'usage');
  }
  return settings as Partial<Settings>;
}

/** Checks the content of a config file. @throws GanglionError `config`. */
export function fromConfigObject(value: unknown, source: string): Partial<Settings> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new GanglionError('config', `${source}: expected an object of settings, got ${show(value)}`);
  }
  const settings: Partial<Record<SettingName, unknown>> = {};
  for (const [key, given] of Object.entries(value)) {
    const name = SETTING_NAMES.find((known) => known === key);
    if (!name)
      throw new GanglionError(
        'config',
        `${source}: unknown setting ${toPrintable(key, MOST_NAME)}; known: ${SETTING_NAMES.join(', ')}`,
      );
    settings[name] = checkValue(name, given, `${source}: ${key}`, 'config');
  }
  return settings as Partial<Settings>;
}

/** The defaults. */
export function defaultSettings(): Settings {
  const entries = SETTING_NAMES.map((name) => [name, SETTINGS[name].default]);
  return fromConfigObject(Object.fromEntries(entries), 'defaults') as Settings;
}

/**
 * Later layers win. Giving steps without epochs in one layer drops the epochs of the layers before, and the reverse; so with a backend and
 * devices.
 *
 * @throws GanglionError `usage` when settings contradict each other
 */
export function mergeSettings(...layers: readonly Partial<Settings>[]): Settings {
  let settings = defaultSettings();
  for (const layer of layers) {
    const both = layer.steps != null && layer.epochs != null;
    if (both) throw new GanglionError('usage', 'give --steps or --epochs, not both');
    const { backend, devices } = layer;
    if (backend !== undefined && backend !== 'auto' && devices !== undefined && devices !== 'auto')
      throw new GanglionError('usage', 'give --backend or --devices, not both');
    settings = { ...settings, ...layer };
    if (backend !== undefined && devices === undefined) settings.devices = 'auto';
    if (devices !== undefined && backend === undefined) settings.backend = 'auto';
    if (layer.steps != null) settings.epochs = null;
    if (layer.epochs != null) settings.steps = null;
  }
  checkTogether(settings);
  return settings;
}

function checkTogether(settings: Settings): void {
  const { batch, shards, workers, devices, steps, epochs, keepBest, evaluateEvery, pageReplicas, metricsPort } =
    settings;
  const fail = (message: string): never => {
    throw new GanglionError('usage', message);
  };
  if (batch % shards !== 0) fail(`--batch ${batch} cannot be cut into ${shards} equal shards (--shards)`);
  if (batch / shards < 2)
    fail(`--batch ${batch} with --shards ${shards}: expected at least 2 images a shard (BatchNorm)`);
  if (workers !== 'auto' && workers > shards) {
    fail(
      `--workers ${workers}: expected at most ${shards}, the number of shards; more could have no work (see --shards)`,
    );
  }
  if (devices !== 'auto') {
    const count = parseDevices(devices).length;
    if (count > shards)
      fail(`--devices: expected at most ${shards}, the number of shards, got ${count} (see --shards)`);
    if (workers !== 'auto' && workers < count)
      fail(`--workers ${workers}: expected at least ${count}, one for each of --devices ${devices}`);
  }
  if (keepBest === 'on' && evaluateEvery === 'off')
    fail('--keep-best on: expected evaluations, got --evaluate-every off');
  if (pageReplicas > 0 && metricsPort === 'off')
    fail(`--page-replicas ${pageReplicas}: expected a live page, through which they come, got --metrics-port off`);
  if (steps === null && epochs === null) fail('expected steps or epochs, got neither');
}
