// Every setting of a training run, once: what it accepts, its default, what it means. Types, the command line, the config file, npm's
// environment and --help all derive from this table.
import { z } from 'zod';
import { BACKENDS, toBackendName } from '../../shared/backend.ts';
import { areDevices } from '../../shared/device.ts';
import { DATA_SETTINGS } from './data-settings.ts';
import { areHostNames } from './host-names.ts';
import { MODEL_SETTINGS } from './model-settings.ts';
import { RECIPE_SETTINGS } from './recipe-settings.ts';
import { setting } from './setting.ts';

/** A time such as `30s` or `5m`. */
export type Duration = `${number}${'s' | 'm'}`;

const DURATION = /^([1-9]\d{0,7})([sm])$/;

export function toMilliseconds(duration: Duration): number {
  const [, count, unit] = DURATION.exec(duration) ?? [];
  if (count === undefined) throw new Error(`expected a duration, got ${duration}`); // settings are checked when they are read
  return Number(count) * (unit === 'm' ? 60_000 : 1000);
}

const LARGEST_SEED = Number.MAX_SAFE_INTEGER;
const counting = (min: number, max = Number.MAX_SAFE_INTEGER) => z.int().min(min).max(max);
const text = z.string().min(1);
const duration = z.custom<Duration>((given) => typeof given === 'string' && DURATION.test(given));

/** One flat object; the same keys as in a config file. */
export const SETTINGS = {
  /** Replicas; `auto` is one a physical core or GPU, at most one a shard. Never changes the weights. */
  workers: setting({
    value: 'N|auto',
    expected: 'a whole number of at least 1, or auto',
    schema: z.union([counting(1), z.literal('auto')]),
    default: 'auto',
    description: 'replicas; auto is one a physical core or GPU, at most one a shard; more share the GPUs in turn',
  }),
  /** What a replica runs in; `auto` is a thread. Never changes the weights. */
  isolation: setting({
    value: 'KIND',
    expected: 'thread, process or auto',
    schema: z.enum(['thread', 'process', 'auto']),
    default: 'auto',
    description: 'what a replica runs in: thread, process (a crash leaves the run alone), or auto, which is thread',
  }),
  /** What computes; `auto` is cuda where there is a GPU, cpu where its kernels are or can be compiled, else wasm. */
  backend: setting({
    value: 'NAME',
    expected: `auto, ${BACKENDS.slice(0, -1).join(', ')} or ${BACKENDS.at(-1)}`,
    schema: z.preprocess(toBackendName, z.enum(['auto', ...BACKENDS])),
    default: 'auto',
    description: `what computes: ${BACKENDS.join(', ')}, or auto: cuda where there is a GPU, else cpu, else wasm`,
  }),
  /** What each replica computes on, in place of a backend; `auto` leaves that to `backend`. Never changes the weights. */
  devices: setting({
    value: 'LIST',
    expected:
      'auto, or GPUs, cpu and wasm with commas between, such as cuda:0,cuda:1,cpu, or GPUs of TensorFlow, as tensorflow:0',
    schema: z.union([z.literal('auto'), text.refine(areDevices)]),
    default: 'auto',
    description: 'what the replicas compute on, in place of --backend: GPUs, cpu and wasm, such as cuda:0,cuda:1,cpu',
  }),
  /** Total steps; null means that `epochs` counts. */
  steps: setting({
    value: 'N',
    expected: 'a whole number of at least 1',
    schema: counting(1, 2 ** 32 - 1).nullable(),
    default: null,
    description: 'total steps, instead of --epochs',
  }),
  /** Passes over the data; null means `steps` counts. */
  epochs: setting({
    value: 'N',
    expected: 'a whole number of at least 1',
    schema: counting(1, 1e6).nullable(),
    default: 30,
    description: 'passes over the data',
  }),
  /** Images a step. */
  batch: setting({
    value: 'N',
    expected: 'a whole number from 2 to 8192',
    schema: counting(2, 8192),
    default: 128,
    description: 'images a step',
    immutable: true,
  }),
  /** Equal parts of a batch; BatchNorm takes its statistics over a shard. Part of the model, not of the cluster. */
  shards: setting({
    value: 'N',
    expected: 'a whole number from 1 to 256',
    schema: counting(1, 256),
    default: 4,
    description: 'equal parts of a batch: the unit of work, and of BatchNorm',
    immutable: true,
  }),
  ...MODEL_SETTINGS,
  seed: setting({
    value: 'N',
    expected: `a whole number from 0 to ${LARGEST_SEED}`,
    schema: counting(0),
    default: 1,
    description: 'fixes every random number of the run',
    immutable: true,
  }),
  ...RECIPE_SETTINGS,
  ...DATA_SETTINGS,
  /** Folder of the run; null makes a new one under runs/. */
  run: setting({
    value: 'DIR',
    expected: 'a folder',
    schema: text.nullable(),
    default: null,
    description: 'folder of the run (default: a new one under runs/)',
  }),
  /** Where the first weights come from: a run or a checkpoint; null is the seed. */
  from: setting({
    value: 'RUN|FILE',
    expected: 'the folder of a run or a checkpoint file',
    schema: text.nullable(),
    default: null,
    description: 'begin with the weights of a run or a checkpoint, with a new optimiser (default: random ones)',
    immutable: true,
  }),
  /** Steps between checkpoints, or time as `30s` or `5m`. */
  checkpointEvery: setting({
    value: 'N|Ns|Nm',
    expected: 'a whole number of steps of at least 1, or whole seconds or minutes such as 30s or 5m',
    schema: z.union([counting(1), duration]),
    default: 500,
    description: 'steps between checkpoints, or time: 30s, 5m',
  }),
  /** Checkpoints that stay: the newest valid ones; older ones are removed after every new one. */
  keep: setting({
    value: 'N|all',
    expected: 'a whole number of at least 1, or all',
    schema: z.union([counting(1), z.literal('all')]),
    default: 'all',
    description: 'checkpoints that stay, the newest valid ones; older ones are removed after every new one',
  }),
  /** Whether the checkpoint with the least Fréchet distance stays: every evaluated step then has one. */
  keepBest: setting({
    value: 'on|off',
    expected: 'on or off',
    schema: z.enum(['on', 'off']),
    default: 'off',
    description: 'a checkpoint of every evaluated step; that with the least Fréchet distance is never removed',
    isSwitch: true,
  }),
  /** Steps between samples; null is an epoch. */
  samplesEvery: setting({
    value: 'N',
    expected: 'a whole number of at least 1',
    schema: counting(1).nullable(),
    default: null,
    description: 'steps between samples (default: an epoch)',
  }),
  /** Steps between evaluations; null is the step at which 60,000 more images have been trained on. The last step is evaluated, too. */
  evaluateEvery: setting({
    value: 'N|off',
    expected: 'a whole number of steps of at least 1, or off',
    schema: z.union([counting(1), z.literal('off')]).nullable(),
    default: null,
    description:
      'steps between evaluations of 2,048 samples, beside training (default: every 60,000 images, and the end)',
  }),
  /** Restarts of replicas within a minute that a run survives. */
  maxRestarts: setting({
    value: 'N',
    expected: 'a whole number of at least 0',
    schema: counting(0),
    default: 20,
    description: 'restarts of replicas within a minute before the run writes a checkpoint and ends with exit code 3',
  }),
  /** Replicas lost on one shard that a run survives. */
  maxShardLosses: setting({
    value: 'N',
    expected: 'a whole number of at least 0',
    schema: counting(0),
    default: 4,
    description: 'replicas lost on one and the same shard before the run writes a checkpoint and ends with exit code 3',
  }),
  /** Updates of one phase in a row that may be skipped for bad gradients. */
  maxSkipped: setting({
    value: 'N',
    expected: 'a whole number of at least 0',
    schema: counting(0),
    default: 10,
    description:
      'updates in a row skipped for bad gradients before the run writes a checkpoint and ends with exit code 3',
  }),
  /** Share of the shards that two replicas compute, to compare the bits. */
  audit: setting({
    value: 'FRACTION',
    expected: 'a number from 0 to 1',
    schema: z.number().min(0).max(1),
    default: 0,
    description: 'share of the shards computed on two replicas, to compare the bits',
  }),
  /** Whether a log for TensorBoard is written. */
  tensorboard: setting({
    value: 'on|off',
    expected: 'on or off',
    schema: z.enum(['on', 'off']),
    default: 'on',
    description: "write events.out.tfevents.*, which TensorBoard reads, into the run's folder",
  }),
  metricsPort: setting({
    value: 'N|off',
    expected: 'a port from 0 to 65535, or off',
    schema: z.union([counting(0, 65535), z.literal('off')]),
    default: 9464,
    description: 'port of the live page, /metrics, /healthz and /api/status; 0 picks a free one',
  }),
  /** Names under which page and API are served beside this machine's own; null is none. */
  allowedHosts: setting({
    value: 'NAMES',
    expected: 'names such as gan.example.org or .example.org, with commas between',
    schema: text.refine(areHostNames).nullable(),
    default: null,
    description:
      "names for page and API beside this machine's own, such as gan.example.org,.lab.example (a dot: all below it)",
  }),
  /** Path under which a proxy shows this server without taking it away; null is none. */
  basePath: setting({
    value: 'PATH',
    expected: 'a path such as /gan/',
    schema: z
      .string()
      .regex(/^(\/[\w.~-]+)+\/?$/)
      .nullable(),
    default: null,
    description: 'path of the page where a proxy leaves it in the address, such as /gan/',
  }),
  /** Token that a request to change the run must carry; null accepts such requests from this machine only. Never written anywhere. */
  apiToken: setting({
    value: 'TOKEN',
    expected: 'ASCII letters, digits and signs without blanks',
    schema: z
      .string()
      .regex(/^[!-~]+$/)
      .nullable(),
    default: null,
    description:
      'what a request that changes the run must show; better given as GANGLION_API_TOKEN (default: only this machine may)',
    secret: true,
  }),
  /** Workers in browsers that may lend their processor through the live page at once. Never changes the weights where all is compared. */
  pageReplicas: setting({
    value: 'N',
    expected: 'a whole number from 0 to 64',
    schema: counting(0, 64),
    default: 0,
    description: 'workers in browsers that may lend their processor through the live page at once',
  }),
  /** Share of the shards of pages that are compared with what this machine computes, and do not count. */
  pageAudit: setting({
    value: 'FRACTION',
    expected: 'a number from 0 to 1',
    schema: z.number().min(0).max(1),
    default: 1,
    description:
      'share of the shards of pages that this machine computes, too; below 1 a page that lies can change the weights',
  }),
  /** File of faults to inject, for tests of a cluster. Never changes the weights. */
  fault: setting({
    value: 'FILE',
    expected: 'a file',
    schema: text.nullable(),
    default: null,
    description: 'JSON plan of faults to inject, for tests of a cluster (see docs/faults.md)',
  }),
};

/** The settings of a run: a value for every row of the table. */
export type Settings = { [Name in keyof typeof SETTINGS]: z.output<(typeof SETTINGS)[Name]['schema']> };

/** The settings that config.json and checkpoints hold. */
export type StoredSettings = Omit<Settings, 'apiToken'>;

export type SettingName = keyof Settings;

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** `--checkpoint-every` for `checkpointEvery`. */
export function flagOf(name: SettingName): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Settings that a resumed run must not change. */
export const IMMUTABLE_SETTINGS = SETTING_NAMES.filter(
  (name): name is Exclude<SettingName, 'apiToken'> => SETTINGS[name].immutable === true,
);
