// Builds the library folder: the shared libraries out of the wheels, and tfjs-node's add-on, compiled against them (about 8 s) and checked.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GanglionError } from '../../../shared/error.ts';
import { checkInProcess, runCompiler } from '../../build/compile.ts';
import { keptWheelPath } from '../../build/pip-wheel.ts';
import type { Progress } from '../../build/progress.ts';
import { sealFolder } from '../../build/sealed-folder.ts';
import { moveIntoPlace } from '../../build/staging.ts';
import { extractWheel } from './extract.ts';
import { aboutLibrary, type LibraryLocation, TENSORFLOW_VERSION } from './library.ts';
import { sourceFolder } from './package.ts';
import { QUIET_LOG_SOURCE } from './quiet-log.ts';
import { CONTENTS, SHARED_LIBRARIES } from './wheel.ts';

/**
 * Builds the library in `staging`, a folder in the cache folder that keeps the wheels, and moves it to its place.
 *
 * @throws GanglionError `environment` when a wheel lacks something, g++ fails, or the add-on does not load
 */
export async function buildLibrary(
  location: LibraryLocation,
  staging: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const wheels = CONTENTS[location.variant].wheels.map((wheel) => keptWheelPath(location.cacheFolder, wheel));
  const headers = join(staging, 'include');
  const staged = join(staging, 'library');
  const libraries = join(staged, 'lib');
  const output = join(staged, 'tfjs_binding.node');

  progress.line('extracting the TensorFlow library');
  for (const wheel of wheels) await extractWheel(wheel, { library: staged, headers }, signal);
  progress.line('compiling the add-on');
  const logPath = join(location.cacheFolder, 'setup-compile.log');
  await compileAddon({ headers, libraries, output, temporary: join(staging, 'gxx'), logPath }, signal);
  progress.line('checking that it loads');
  await checkAddon(output, signal);

  signal.throwIfAborted();
  await sealFolder(staged, aboutLibrary(location));
  await moveIntoPlace(staged, location.libraryFolder, join(staging, 'replaced'));
  for (const wheel of wheels) await rm(wheel); // last: a set-up that was interrupted has them still
}

interface AddonCompilation {
  /** TensorFlow's headers. */
  readonly headers: string;
  /** Folder of the shared libraries; the add-on looks for them in `lib/` beside itself. */
  readonly libraries: string;
  readonly output: string;
  readonly temporary: string;
  readonly logPath: string;
}

async function compileAddon(addon: AddonCompilation, signal: AbortSignal): Promise<void> {
  const { headers, libraries, temporary } = addon;
  const source = sourceFolder();
  await mkdir(temporary, { recursive: true });
  const quietLog = join(temporary, 'quiet-log.cc');
  await writeFile(quietLog, QUIET_LOG_SOURCE);
  await runCompiler(
    [
      ...['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8', '-w'],
      ...['-I', source, '-I', headers],
      ...[join(source, 'binding/tfjs_backend.cc'), join(source, 'binding/tfjs_binding.cc'), quietLog],
      // "-l:" takes the exact file name: no development symlinks to make
      ...['-L', libraries, ...SHARED_LIBRARIES.map((name) => `-l:${name}`), '-Wl,-rpath,$ORIGIN/lib', '-ldl'],
    ],
    { ...addon, what: "TensorFlow's add-on" },
    signal,
  );
}

/**
 * Loads the add-on in a process of its own.
 *
 * @returns the add-on's `TF_Version`.
 * @throws GanglionError when it does not load, or is not the pinned version.
 */
export async function checkAddon(addonPath: string, signal: AbortSignal): Promise<string> {
  const script = 'process.stdout.write(require(process.argv[1]).TF_Version)';
  const version = await checkInProcess(script, { what: 'TensorFlow', addonPath }, signal);
  if (version !== TENSORFLOW_VERSION)
    throw new GanglionError(
      'environment',
      `TensorFlow is the wrong version: expected ${TENSORFLOW_VERSION}, got ${version}`,
    );
  return version;
}
