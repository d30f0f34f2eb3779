// Where the native library lives, and whether it is complete. The folder is keyed by everything its content depends on, so
// several checkouts share it and an upgrade never meets an old one. Nothing here uses TensorFlow or starts a process.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toCacheFolder } from '../../../shared/cache-folder.ts';
import { type About, type Care, faultOf } from '../../build/sealed-folder.ts';
import { TFJS_NODE_VERSION } from './package.ts';

/** Version of the TensorFlow library, as its own `TF_Version` says it. */
export const TENSORFLOW_VERSION = '2.21.0';

/** Builds of the library: that for GPUs computes on the CPU where there is none. Part of the folder's name. */
export const VARIANTS = ['cpu', 'gpu'] as const;
export type Variant = (typeof VARIANTS)[number];

/** Raised when the files of the library folder change in name or in the way they are built. */
const LAYOUT_VERSION = 3;

const PLATFORM = 'linux-x64';

/** Absolute paths of one native library. */
export interface LibraryLocation {
  readonly variant: Variant;
  /** Shared by all versions: lock, kept wheel, logs, staging folders. */
  readonly cacheFolder: string;
  readonly libraryFolder: string;
  /** The Node-API add-on; it finds `lib/` beside itself, so the library folder may be moved. */
  readonly addonPath: string;
}

/** What the manifest of a library folder says beside its files. */
export function aboutLibrary({ variant }: Pick<LibraryLocation, 'variant'>): About {
  return {
    layout: LAYOUT_VERSION,
    tensorflow: TENSORFLOW_VERSION,
    variant,
    platform: PLATFORM,
    tfjsNode: TFJS_NODE_VERSION,
  };
}

/**
 * Paths of a library that this version of Ganglion uses; the folder need not exist.
 *
 * @param variant default: the one for GPUs where it was set up, whole or not, else that for the CPU
 */
export function locateLibrary(env: NodeJS.ProcessEnv = process.env, variant?: Variant): LibraryLocation {
  const cacheFolder = toCacheFolder(env);
  const folderOf = (kind: Variant): string =>
    join(
      cacheFolder,
      `tensorflow-${TENSORFLOW_VERSION}-${kind}-${PLATFORM}-tfjs-${TFJS_NODE_VERSION}-layout-${LAYOUT_VERSION}`,
    );
  const chosen = variant ?? (existsSync(folderOf('gpu')) ? 'gpu' : 'cpu');
  const libraryFolder = folderOf(chosen);
  return { variant: chosen, cacheFolder, libraryFolder, addonPath: join(libraryFolder, 'tfjs_binding.node') };
}

/** The command that sets a library up. */
export function setupCommand({ variant }: Pick<LibraryLocation, 'variant'>): string {
  return `npm run setup -- --tensorflow${variant === 'gpu' ? ' gpu' : ''}`;
}

/**
 * Why the library cannot be loaded; undefined when it is as it was built.
 *
 * @param care `whole` also sees that the time of a shared library has changed, and then hashes it: 850 MB take a second
 * @throws as {@link faultOf}
 */
export function faultOfLibrary(location: LibraryLocation, care: Care = 'quick'): string | undefined {
  return faultOf(location.libraryFolder, location.cacheFolder, aboutLibrary(location), care);
}
