// Fetches and builds TensorFlow, for the CPU or for GPUs, where it is missing.
import { checkCacheFolder } from '../build/cache-folder.ts';
import { checkDisk } from '../build/disk.ts';
import { downloadWheel, hasKeptWheel, type Wheel } from '../build/pip-wheel.ts';
import { readProgramVersions } from '../build/programs.ts';
import { clearTraces, inStagingFolder } from '../build/staging.ts';
import { buildLibrary } from '../engines/tensorflow/build.ts';
import { faultOfLibrary, type LibraryLocation } from '../engines/tensorflow/library.ts';
import { fetchPackage, findPackage } from '../engines/tensorflow/package.ts';
import { checkPlatform, checkPrograms, currentPlatform } from '../engines/tensorflow/preflight.ts';
import { bytesOf, CONTENTS, neededBytes } from '../engines/tensorflow/wheel.ts';
import { type InstallOptions, locked, refuseRemembered } from './install.ts';

/** Whether TensorFlow is set up. @throws GanglionError `environment` when others may change it */
export function isTensorflowReady(location: LibraryLocation): boolean {
  return faultOfLibrary(location, 'whole') === undefined && findPackage() !== undefined;
}

/** What the set-up of TensorFlow does first, for people. */
export function announce({ variant }: LibraryLocation): string {
  const { wheels, bytes } = CONTENTS[variant];
  const disk = wheels.length > 1 ? `; it takes ${toSize(bytes)} of disk` : '';
  return `downloading TensorFlow${variant === 'gpu' ? ' for GPUs' : ''} (${toSize(bytesOf(wheels))}${disk})`;
}

const toSize = (bytes: number): string =>
  bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;

/**
 * Looks whether TensorFlow is there, or could be set up. Changes nothing.
 *
 * @returns whether it is to be set up
 * @throws GanglionError `environment` for everything that stands in the way and can be seen before
 */
export async function lookAtTensorflow(location: LibraryLocation, signal?: AbortSignal): Promise<boolean> {
  if (isTensorflowReady(location)) return false;
  checkPlatform(currentPlatform());
  if (faultOfLibrary(location, 'whole') !== undefined) checkPrograms(await readProgramVersions(signal), location);
  await checkCacheFolder(location.cacheFolder);
  return true;
}

/**
 * Fetches and builds TensorFlow where it is missing or damaged; waits for another set-up of the same cache folder.
 *
 * @throws GanglionError `environment` for everything that stands in the way and a user can mend
 */
export async function installTensorflow(location: LibraryLocation, options: InstallOptions): Promise<void> {
  const { cacheFolder, libraryFolder, variant } = location;
  const { progress, again } = options;
  const { wheels } = CONTENTS[variant];
  if (!(await lookAtTensorflow(location, options.signal))) return;
  await locked(cacheFolder, neededBytes(variant, wheels), options, async (signal) => {
    if (isTensorflowReady(location)) return;
    refuseRemembered(libraryFolder, again);
    await clearTraces(libraryFolder);
    const needsLibrary = faultOfLibrary(location, 'whole') !== undefined;
    const missing: Wheel[] = [];
    for (const wheel of needsLibrary ? wheels : []) {
      if (!(await hasKeptWheel(cacheFolder, wheel, signal))) missing.push(wheel);
    }
    const needed = neededBytes(variant, missing);
    if (needsLibrary) await checkDisk(cacheFolder, needed);
    await inStagingFolder(libraryFolder, signal, async (staging) => {
      if (needsLibrary && missing.length < wheels.length) {
        const rest = missing.length === 0 ? '' : `; ${toSize(bytesOf(missing))} are left to download`;
        progress.line(`using the TensorFlow download of an earlier set-up${rest}`);
      } else if (needsLibrary && wheels.length > 1) progress.line(announce(location));
      for (const wheel of missing) await downloadWheel(wheel, needed, cacheFolder, staging, progress, signal);
      if (findPackage() === undefined) {
        progress.line('fetching @tensorflow/tfjs-node-gpu');
        await fetchPackage(staging, signal);
      }
      if (needsLibrary) await buildLibrary(location, staging, progress, signal);
    });
  });
}
