// Which backend a setting means on this machine, and what people are told: one decision, which training carries out and the doctor reports.
import { existsSync } from 'node:fs';
import type { Backend } from '../../shared/backend.ts';
import { backendOf, type Device, type Devices, seesGpu, showDevices } from '../../shared/device.ts';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import { recallFailure } from '../build/failed-setup.ts';
import { findGpu, type Gpu, loadCuda } from '../engines/cuda/cuda-runner.ts';
import { locateCuda } from '../engines/cuda/library.ts';
import { locateKernels } from '../engines/kernels/library.ts';
import { locateLibrary } from '../engines/tensorflow/library.ts';
import { compilingLine, type InstallOptions, installKernels, lookAtKernels } from './install.ts';
import { installCuda, lookAtCuda } from './install-cuda.ts';
import { announce, installTensorflow, lookAtTensorflow } from './install-tensorflow.ts';
import { probe } from './probe.ts';
import { checkTensorflowGpus, placeTensorflow, requireGpuLibrary } from './tensorflow-gpus.ts';

/** How much slower wasm trains than the compiled kernels: docs/backends.md. */
const TIMES_SLOWER = 4;

/** What training takes. */
export interface Choice {
  readonly backend: Backend;
  /** Of that backend; null where something is missing and was only looked at. */
  readonly devices: Devices | null;
  /** One line that says why it is not what `auto` would rather take; null where it is, or another backend was named. */
  readonly note: string | null;
  /** What training does first, where something is missing and was only looked at. */
  readonly first: string | null;
}

/** How missing parts are built. */
export type Preparation = Omit<InstallOptions, 'again'>;

/** How long a GPU may take to compute a small problem: where there are many, the driver starts in some seconds. */
const GPU_MS = 20_000;

/**
 * @param setting a backend, devices, or `auto`
 * @param preparation builds what is missing; null only looks, and changes nothing
 * @throws GanglionError `environment` when a backend or device that is named cannot run here
 */
export async function chooseBackend(
  setting: Backend | 'auto' | Devices,
  preparation: Preparation | null,
): Promise<Choice> {
  if (setting === 'auto') return pick(preparation);
  try {
    return await (typeof setting === 'string' ? take(setting, preparation) : takeDevices(setting, preparation));
  } catch (error) {
    if (!(error instanceof GanglionError)) throw error;
    const flag = typeof setting === 'string' ? `--backend ${setting}` : `--devices ${showDevices(setting)}`;
    throw new GanglionError(error.code, `${flag} cannot run here: ${error.message}`, { cause: error });
  }
}

/** All devices of a backend. */
async function take(backend: Backend, preparation: Preparation | null, again = true): Promise<Choice> {
  const first = await prepare(backend, preparation, again);
  if (backend === 'tensorflow' && first === null) return { backend, first, ...(await placeTensorflow(preparation)) };
  return { backend, devices: first === null ? devicesOf(backend) : null, note: null, first };
}

async function takeDevices(devices: Devices, preparation: Preparation | null): Promise<Choice> {
  const todo: string[] = [];
  const backend = backendOf(devices);
  if (backend === 'tensorflow') requireGpuLibrary();
  for (const each of new Set(devices.map((device) => device.backend))) {
    const first = await prepare(each, preparation, true);
    if (first !== null) todo.push(first);
  }
  const numbers = devices.flatMap(({ gpu }) => gpu ?? []);
  if (numbers.length > 0 && todo.length === 0) {
    if (backend === 'tensorflow') await checkTensorflowGpus(numbers, preparation);
    else {
      const { gpus } = loadCuda(locateCuda());
      for (const number of numbers) findGpu(gpus, number);
    }
  }
  return { backend, devices, note: null, first: todo[0] ?? null };
}

function devicesOf(backend: Backend): Devices {
  if (backend !== 'cuda') return [{ backend }];
  const [first, ...others] = loadCuda(locateCuda()).gpus;
  const toDevice = ({ number }: Gpu): Device => ({ backend, gpu: number });
  return [toDevice(first), ...others.map(toDevice)];
}

/** The GPUs where there are some that work, else what the processor can, with a line that says why. */
async function pick(preparation: Preparation | null): Promise<Choice> {
  if (!seesGpu(existsSync)) return pickProcessor(preparation);
  try {
    const choice = await take('cuda', preparation, false);
    if (choice.first !== null) return choice;
    const { runs, detail } = await probe('cuda', GPU_MS);
    if (!runs) throw new GanglionError('environment', detail);
    return choice;
  } catch (error) {
    const isMistake = error instanceof GanglionError && error.code === 'usage'; // a wrong GANGLION_CUDA
    if (isMistake || (!(error instanceof GanglionError) && systemErrorCode(error) === undefined)) throw error;
    const choice = await pickProcessor(preparation);
    const note = `training on the CPU, as the GPU cannot be used: ${messageOf(error)}`;
    return { ...choice, note: choice.note === null ? note : `${note}; ${choice.note}` };
  }
}

/** The kernels where they are or can be compiled, else wasm with a line that says why. */
async function pickProcessor(preparation: Preparation | null): Promise<Choice> {
  try {
    return await take('cpu', preparation, false);
  } catch (error) {
    if (!(error instanceof GanglionError) && systemErrorCode(error) === undefined) throw error;
    const isRemembered = recallFailure(locateKernels().kernelsFolder) !== undefined;
    const later = isRemembered ? '; not tried again until: npm run setup' : '';
    const reason = `${messageOf(error)}${later}`;
    const note = `training in WebAssembly, about ${TIMES_SLOWER} times slower than by compiled kernels: ${reason}`;
    return { backend: 'wasm', devices: [{ backend: 'wasm' }], note, first: null };
  }
}

/**
 * Builds what a backend needs, or looks whether it could be built.
 *
 * @param again whether to try also when the set-up before has failed
 * @returns what training does first; null for nothing
 * @throws GanglionError when the backend cannot run
 */
async function prepare(backend: Backend, preparation: Preparation | null, again: boolean): Promise<string | null> {
  switch (backend) {
    case 'cpu': {
      const location = locateKernels();
      if (preparation === null) {
        const fault = await lookAtKernels(location, again, new AbortController().signal);
        return fault === undefined ? null : compilingLine(fault);
      }
      await installKernels(location, { ...preparation, again });
      return null;
    }
    case 'cuda': {
      const location = locateCuda();
      if (preparation === null) return (await lookAtCuda(location)) ?? null;
      await installCuda(location, { ...preparation, again });
      return null;
    }
    case 'tensorflow': {
      const location = locateLibrary();
      if (preparation === null) return (await lookAtTensorflow(location)) ? announce(location) : null;
      await installTensorflow(location, { ...preparation, again });
      return null;
    }
    case 'webgpu': {
      const { runs, detail } = await probe(backend);
      if (!runs) throw new GanglionError('environment', detail);
      return null;
    }
    default:
      return null; // they run wherever Node.js does
  }
}
