// What a replica computes on: a backend, and which GPU where there may be several. `--devices cuda:0,cuda:1,cpu` names them so.
import { BACKENDS, type Backend } from './backend.ts';

export interface Device {
  readonly backend: Backend;
  /** Number of the GPU, as NVIDIA's driver counts them; undefined for backends that have no choice. */
  readonly gpu?: number;
}

/** At least one: replica i computes on the i-th, and more replicas take them in turn. */
export type Devices = readonly [Device, ...Device[]];

const LIST = /^(?:(cpu|wasm|cuda:\d{1,3})(,(cpu|wasm|cuda:\d{1,3}))*|tensorflow:\d{1,3}(,tensorflow:\d{1,3})*)$/;

/** Whether a text is a list of devices that may train together: their arithmetic is one. */
export const areDevices = (text: string): boolean => LIST.test(text);

/** The devices of a list. @throws Error for a name that is none */
export function parseDevices(text: string): Devices {
  const [first, ...others] = text.split(',').map(parseDevice);
  if (first === undefined) throw new Error('expected devices, got none');
  return [first, ...others];
}

function parseDevice(text: string): Device {
  const [name, gpu] = text.split(':');
  const backend = BACKENDS.find((known) => known === name);
  if (backend === undefined) throw new Error(`expected a device, got ${JSON.stringify(text)}`);
  return gpu === undefined ? { backend } : { backend, gpu: Number(gpu) };
}

/** As {@link parseDevices} reads it. */
export const showDevices = (devices: readonly Device[]): string =>
  devices.map(({ backend, gpu }) => (gpu === undefined ? backend : `${backend}:${gpu}`)).join(',');

/** The device of replica `id`. */
export function deviceOf(devices: Devices, id: number): Device {
  return devices[id % devices.length] ?? devices[0];
}

/** The backend that a run on these devices is said to have: `cuda` where a GPU is among them. */
export function backendOf(devices: Devices): Backend {
  return devices.find(({ backend }) => backend === 'cuda')?.backend ?? devices[0].backend;
}

/** Whether replicas on a device are processes, whatever runs the others: a process that has loaded TensorFlow computes on one GPU. */
export const needsProcess = ({
  backend,
  gpu,
}: Pick<Device, 'backend'> & { readonly gpu?: number | undefined }): boolean =>
  backend === 'tensorflow' && gpu !== undefined;

/**
 * CUDA_VISIBLE_DEVICES for a process that is to see one GPU.
 *
 * @param gpu its number among those that this process sees
 */
export function visibleAlone(gpu: number, env: NodeJS.ProcessEnv = process.env): string {
  return env.CUDA_VISIBLE_DEVICES?.split(',')[gpu]?.trim() || String(gpu);
}

/** Where the kernel shows NVIDIA's driver, also in a container that was given a GPU; the last is Windows' in WSL. */
const TRACES = ['/dev/nvidiactl', '/proc/driver/nvidia/version', '/usr/lib/wsl/lib/libcuda.so.1'];

/**
 * Whether there is a trace of an NVIDIA GPU that this process may use: only then does `auto` look for one, which takes a second. A
 * CUDA_VISIBLE_DEVICES that is empty or negative hides all of them, as from every program.
 *
 * @param exists whether a file is there
 */
export function seesGpu(exists: (path: string) => boolean, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.GANGLION_CUDA) return true; // the emulation, or a wrong value, which is refused then
  if (/^(-|$)/.test(env.CUDA_VISIBLE_DEVICES?.trim() ?? '0')) return false;
  return TRACES.some(exists);
}
