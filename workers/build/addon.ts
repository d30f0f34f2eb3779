// Where a Node-API add-on is loaded from: the cache, where it was compiled on this machine, or else the package, which brings it compiled
// for most machines (workers/setup/prebuilds.mjs) in the layout of node-gyp-build: prebuilds/linux-x64/ganglion_kernels.musl.node.
// A checkout has none. The cache comes first, as what was compiled there is what did not load from the package.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GanglionError } from '../../shared/error.ts';
import { ABSENT, faultOf } from './sealed-folder.ts';

/** An add-on, and where it may lie. */
export interface AddonPlaces {
  /** Without an ending: `ganglion_kernels`. */
  readonly name: string;
  /** Of the sources that it is compiled from. */
  readonly key: string;
  readonly cacheFolder: string;
  /** That of the add-on in the cache. */
  readonly builtFolder: string;
}

/** The place of an add-on that can be loaded, or that comes nearest to it. */
export interface FoundAddon {
  readonly folder: string;
  readonly path: string;
  /** Why it cannot be loaded from there; undefined when it is as it was built. */
  readonly fault: string | undefined;
}

/** Beside `workers`, also for the compiled one. */
const PREBUILDS = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../prebuilds/' : '../../../prebuilds/', import.meta.url),
);

/** File name of an add-on. @param libc that a program of Linux is linked with; empty elsewhere, and for one that was compiled here */
export function addonFile(name: string, libc: '' | 'glibc' | 'musl' = ''): string {
  return [name, libc, 'node'].filter((part) => part !== '').join('.');
}

/**
 * Looks for an add-on. It is hashed, which takes about a millisecond.
 *
 * @throws GanglionError `environment` when somebody else could change the one in the cache and there is no other
 */
export function findAddon(places: AddonPlaces, prebuilds = PREBUILDS): FoundAddon {
  const prebuilt = findPrebuilt(places, prebuilds);
  const { builtFolder, cacheFolder, name } = places;
  try {
    const fault = faultOf(builtFolder, cacheFolder);
    const isNearer =
      fault === undefined || prebuilt.fault === ABSENT || (fault !== ABSENT && prebuilt.fault !== undefined);
    return isNearer ? { folder: builtFolder, path: join(builtFolder, addonFile(name)), fault } : prebuilt;
  } catch (error) {
    if (prebuilt.fault === undefined && error instanceof GanglionError) return prebuilt;
    throw error;
  }
}

function findPrebuilt({ name, key }: AddonPlaces, prebuilds: string): FoundAddon {
  const folder = join(prebuilds, `${process.platform}-${process.arch}`);
  if (!existsSync(folder)) return { folder, path: folder, fault: ABSENT }; // a checkout
  const path = join(folder, addonFile(name, libcOf(process.platform)));
  return { folder, path, fault: existsSync(path) ? faultOf(folder, null, { [name]: key }) : ABSENT };
}

let libc: 'glibc' | 'musl' | undefined;

/** The C library of this process, looked up once: some milliseconds. */
function libcOf(platform: string): '' | 'glibc' | 'musl' {
  if (platform !== 'linux') return '';
  if (libc === undefined) {
    Object.assign(process.report, { excludeNetwork: true }); // it would look up the names of all connections
    const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
    libc = header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
  }
  return libc;
}
