// What the settings mean on this machine: the devices of the replicas. Where that is not plain, a program of the workers' side finds out,
// in a process of its own.
import { existsSync } from 'node:fs';
import { backendOf, type Devices, needsProcess, parseDevices, seesGpu } from '../../shared/device.ts';
import { GanglionError } from '../../shared/error.ts';
import type { RunConfig, StoredRunConfig } from '../run-folder/run-config.ts';
import type { Settings } from '../settings/settings-table.ts';
import type { Programs } from './programs.ts';

/** Runs an entry file to its end. @returns its standard output @throws when it fails */
export type RunProgram = (entry: URL, args: readonly string[]) => Promise<string>;

/** The settings that say what computes. */
export type DeviceSettings = Pick<Settings, 'backend' | 'devices'>;

/** Whether the kernels are there and load: nearly always, and no other process is needed to know. */
async function hasKernels({ updateEntry }: Pick<Programs, 'updateEntry'>): Promise<boolean> {
  const { loadUpdate }: { loadUpdate(): object | undefined } = await import(updateEntry.href);
  try {
    return loadUpdate() !== undefined;
  } catch {
    return false; // the program says why
  }
}

/**
 * `auto` is the GPUs where there are some that work, else `cpu` where the kernels are there or can be compiled now, else wasm, and the
 * program says why on standard error; a name is that backend, never another.
 *
 * @throws what `run` throws when one of them cannot run
 */
export async function resolveDevices(
  { backend, devices }: DeviceSettings,
  programs: Pick<Programs, 'updateEntry' | 'backendEntry'>,
  run: RunProgram,
): Promise<Devices> {
  const setting = devices === 'auto' ? backend : devices;
  if (setting === 'wasm' || setting === 'js') return [{ backend: setting }]; // they run wherever Node.js does
  const isCpu =
    setting === 'auto' ? !seesGpu(existsSync) : parseDevices(setting).every((device) => device.backend === 'cpu');
  if (isCpu && (await hasKernels(programs))) return setting === 'auto' ? [{ backend: 'cpu' }] : parseDevices(setting);
  return parseDevices((await run(programs.backendEntry, [setting])).trim());
}

/** A run as it is planned. */
interface Planned {
  readonly config: RunConfig;
  readonly workers: number;
  readonly autoWorkers: boolean;
}

/**
 * Puts a planned run on devices: one worker a GPU where the number was left to Ganglion.
 *
 * @throws GanglionError `usage` for threads where TensorFlow computes on GPUs
 */
export function placeOn(
  devices: Devices,
  { config, workers: planned, autoWorkers }: Planned,
): { readonly config: StoredRunConfig; readonly workers: number; readonly devices: Devices } {
  const chosenBackend = backendOf(devices);
  const areGpus = devices.some(({ gpu }) => gpu !== undefined);
  if (config.isolation === 'thread' && devices.some(needsProcess)) {
    const message = '--isolation thread: expected process or auto where TensorFlow computes on GPUs, each in a process';
    throw new GanglionError('usage', message);
  }
  const workers = autoWorkers && areGpus ? Math.min(devices.length, config.shards) : planned;
  return { config: { ...config, workers, chosenBackend }, workers, devices };
}
