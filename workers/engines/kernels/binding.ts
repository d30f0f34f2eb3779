// Loads the add-on of the kernels and gives it types. GANGLION_KERNELS chooses among them, to compare: `off` is a machine without.

import { createRequire } from 'node:module';
import { GanglionError, messageOf } from '../../../shared/error.ts';
import { show } from '../../../shared/printable.ts';
import type { UpdateKernels } from '../../../shared/update.ts';
import { ABSENT } from '../../build/sealed-folder.ts';
import type { PatchKernel } from '../../judge/patches.ts';
import { findKernels as findAddon, locateKernels } from './library.ts';
import type { PlanBinding } from './plan-binding.ts';

/** The add-on; the calls of the update need no `this`. */
export interface KernelBinding extends PlanBinding, UpdateKernels {
  /** Has the whole process use the kernels of AVX2, also where there is AVX-512. */
  limitIsa(isa: 'avx2'): void;
  /** Whether the kernels give the known results of small problems. */
  selfTest(): boolean;
  /** As `toNormal` of shared/random.ts, of an even number of words; fillNormal is made of it. */
  toNormal(words: Uint32Array, out: Float64Array): void;
  /** As `convolvePatches` of workers/judge/patches.ts; needs no `this`. */
  readonly convolvePatches: PatchKernel;
}

/** The add-on, and which it is. */
export interface Kernels {
  readonly binding: KernelBinding;
  /** Key of the sources that it was compiled from. */
  readonly version: string;
}

const SETTINGS = ['on', 'off', 'avx2', 'exact'] as const;

/**
 * What `GANGLION_KERNELS` asks for: the compiled kernels where they are there (`on`, the default), none, those of AVX2, or, in WebAssembly,
 * those that are right, and slow, also where it does not fuse a multiply-add (`exact`).
 *
 * @throws GanglionError `usage` for any other value
 */
export function readKernelsSetting(env: NodeJS.ProcessEnv = process.env): (typeof SETTINGS)[number] {
  const given = env.GANGLION_KERNELS || 'on'; // an empty variable counts as none
  const setting = SETTINGS.find((name) => name === given);
  if (setting !== undefined) return setting;
  throw new GanglionError('usage', `GANGLION_KERNELS: expected ${SETTINGS.join(', ')}, got ${show(given)}`);
}

/** Why there are no kernels when `GANGLION_KERNELS` is `off`. */
export const SWITCHED_OFF = 'the kernels are switched off by GANGLION_KERNELS';
/** Why there are none on some processors. */
export const NO_AVX2 = 'this processor has no AVX2 and FMA, which the kernels need';

/**
 * The add-on, loaded once a thread; undefined where it is not built, not wanted, or the processor cannot run it.
 *
 * @throws GanglionError `usage` for a wrong `GANGLION_KERNELS`, `environment` when the add-on is there and does not load
 */
export function loadKernels(env: NodeJS.ProcessEnv = process.env): Kernels | undefined {
  const found = findKernels(env);
  return typeof found === 'string' ? undefined : found;
}

/**
 * As {@link loadKernels}, for those who cannot do without.
 *
 * @throws GanglionError also where there are none, with the reason
 */
export function requireKernels(env: NodeJS.ProcessEnv = process.env): Kernels {
  const found = findKernels(env);
  if (typeof found === 'string') throw new GanglionError('environment', found);
  return found;
}

/** The kernels, or why there are none. */
function findKernels(env: NodeJS.ProcessEnv): Kernels | string {
  const setting = readKernelsSetting(env);
  if (setting === 'off') return SWITCHED_OFF;
  const location = locateKernels(env);
  const { folder, path, fault } = findAddon(location);
  if (fault !== undefined) {
    const message = `${folder} ${fault}; run: npm run setup`;
    if (fault === ABSENT) return message;
    throw new GanglionError('environment', message);
  }
  const binding = load(path, folder);
  if (setting === 'avx2') binding.limitIsa('avx2');
  return binding.isa === 'none' ? NO_AVX2 : { binding, version: location.key };
}

function load(addonPath: string, kernelsFolder: string): KernelBinding {
  try {
    return createRequire(import.meta.url)(addonPath);
  } catch (error) {
    throw new GanglionError(
      'environment',
      `Ganglion's kernels do not load: ${messageOf(error)}; delete ${kernelsFolder}, then run: npm run setup`,
      { cause: error },
    );
  }
}
