// Which backend a setting means on this machine, and what people are told: one decision, which training carries out and the doctor reports.
import type { Backend } from '../../shared/backend.ts';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import { recallFailure } from '../build/failed-setup.ts';
import { locateCuda } from '../engines/cuda/library.ts';
import { locateKernels } from '../engines/kernels/library.ts';
import { locateLibrary } from '../engines/tensorflow/library.ts';
import {
  compilingLine,
  type InstallOptions,
  installKernels,
  installTensorflow,
  lookAtKernels,
  lookAtTensorflow,
} from './install.ts';
import { installCuda, lookAtCuda } from './install-cuda.ts';
import { probe } from './probe.ts';

/** How much slower wasm trains than the kernels: README.md. */
const TIMES_SLOWER = 11;

/** What training takes. */
export interface Choice {
  readonly backend: Backend;
  /** One line that says why it is not the kernels; null where it is, or another backend was named. */
  readonly note: string | null;
  /** What training does first, where something is missing and was only looked at. */
  readonly first: string | null;
}

/** How missing parts are built. */
export type Preparation = Omit<InstallOptions, 'again'>;

/**
 * @param preparation builds what is missing; null only looks, and changes nothing
 * @throws GanglionError `environment` when a backend that is named cannot run here
 */
export async function chooseBackend(setting: Backend | 'auto', preparation: Preparation | null): Promise<Choice> {
  if (setting === 'auto') return pick(preparation);
  try {
    return { backend: setting, note: null, first: await prepare(setting, preparation, true) };
  } catch (error) {
    if (!(error instanceof GanglionError)) throw error;
    throw new GanglionError(error.code, `--backend ${setting} cannot run here: ${error.message}`, { cause: error });
  }
}

/** The kernels where they are or can be compiled, else wasm with a line that says why. */
async function pick(preparation: Preparation | null): Promise<Choice> {
  try {
    return { backend: 'cpu', note: null, first: await prepare('cpu', preparation, false) };
  } catch (error) {
    if (!(error instanceof GanglionError) && systemErrorCode(error) === undefined) throw error;
    const isRemembered = recallFailure(locateKernels().kernelsFolder) !== undefined;
    const later = isRemembered ? '; not tried again until: npm run setup' : '';
    const reason = `${messageOf(error)}${later}`;
    const note = `training in WebAssembly, about ${TIMES_SLOWER} times slower than by compiled kernels: ${reason}`;
    return { backend: 'wasm', note, first: null };
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
        return fault === undefined ? null : compilingLine(location, fault);
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
      if (preparation === null) return (await lookAtTensorflow(location)) ? 'downloading TensorFlow (274 MB)' : null;
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
