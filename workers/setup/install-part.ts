// Builds one sealed folder of the cache where it is missing or damaged; waits for another set-up of the same cache folder.
import { checkDisk } from '../build/disk.ts';
import { faultOf } from '../build/sealed-folder.ts';
import { clearTraces, inStagingFolder } from '../build/staging.ts';
import { type InstallOptions, locked, refuseRemembered } from './install.ts';

/** A sealed folder of the cache to build. */
export interface Part {
  readonly folder: string;
  /** Disk space that it takes at its peak. */
  readonly bytes: number;
  /** What is said before. */
  readonly line?: string;
  readonly work: (staging: string, signal: AbortSignal) => Promise<void>;
}

/** @throws GanglionError `environment` for everything that stands in the way and a user can mend */
export async function installPart(cacheFolder: string, options: InstallOptions, part: Part): Promise<void> {
  const { folder, bytes, line, work } = part;
  if (faultOf(folder, cacheFolder) === undefined) return;
  await locked(cacheFolder, bytes, options, async (signal) => {
    if (faultOf(folder, cacheFolder) === undefined) return; // another set-up has built it
    refuseRemembered(folder, options.again);
    await clearTraces(folder);
    await checkDisk(cacheFolder, bytes);
    if (line !== undefined) options.progress.line(line);
    await inStagingFolder(folder, signal, (staging) => work(staging, signal));
  });
}
