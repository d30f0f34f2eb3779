// Compiles the kernels, one g++ a file, all at once: a start with an empty cache waits for it. Then it proves that they compute here, and
// moves them into place.
import { basename, join } from 'node:path';
import { checkInProcess, runCompiler } from '../../build/compile.ts';
import { sealFolder } from '../../build/sealed-folder.ts';
import { moveIntoPlace } from '../../build/staging.ts';
import { NO_AVX2 } from './binding.ts';
import { COMPILER_FLAGS, type KernelsLocation, LINKER_FLAGS } from './library.ts';

/** Disk space that compiling takes at its peak, most of it g++'s temporary files. */
export const BUILD_BYTES = 50_000_000;

/**
 * Builds the add-on in `staging`, a folder in the cache folder, and moves it to its place.
 *
 * @throws GanglionError `environment` when g++ is missing or fails, or when the add-on does not load or compute
 */
export async function buildKernels(location: KernelsLocation, staging: string, signal: AbortSignal): Promise<void> {
  const staged = join(staging, 'kernels');
  const addonPath = join(staged, 'ganglion_kernels.node');
  const compilation = {
    what: "Ganglion's kernels",
    temporary: join(staging, 'gxx'),
    logPath: join(location.cacheFolder, 'setup-compile-kernels.log'),
  };
  const objects = await compileAll(location.units, compilation, signal);
  await runCompiler([...LINKER_FLAGS, ...objects], { ...compilation, output: addonPath }, signal);
  await checkKernels(addonPath, signal);
  await sealFolder(staged);
  signal.throwIfAborted();
  await moveIntoPlace(staged, location.kernelsFolder, join(staging, 'replaced'));
}

/** @returns the object files. @throws the first error; the other compilers have ended then */
async function compileAll(
  units: readonly string[],
  compilation: { readonly what: string; readonly temporary: string; readonly logPath: string },
  signal: AbortSignal,
): Promise<string[]> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const compile = async (unit: string): Promise<string> => {
    const output = join(compilation.temporary, `${basename(unit)}.o`);
    try {
      await runCompiler([...COMPILER_FLAGS, '-c', unit], { ...compilation, output }, either);
    } catch (error) {
      failed.abort(error);
      throw error;
    }
    return output;
  };
  const ended = await Promise.allSettled(units.map(compile));
  either.throwIfAborted();
  return ended.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/**
 * Loads the add-on in a process of its own, and has it test itself.
 *
 * @throws GanglionError `environment` when it does not load, or computes wrongly
 */
export async function checkKernels(addonPath: string, signal: AbortSignal): Promise<void> {
  const script = `const { isa, selfTest } = require(process.argv[1]);
    if (isa === 'none') throw new Error(${JSON.stringify(NO_AVX2)});
    if (!selfTest()) throw new Error('the self-test gives wrong results');`;
  await checkInProcess(script, { what: "the add-on of Ganglion's kernels", addonPath }, signal);
}
