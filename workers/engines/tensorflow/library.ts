// Where the native library lives, and whether it is complete. The folder is keyed by everything its content depends on, so
// several checkouts share it and an upgrade never meets an old one. Nothing here uses TensorFlow or starts a process.

import { join } from 'node:path';
import { toCacheFolder } from '../../../shared/cache-folder.ts';
import { type About, type Care, faultOf } from '../../build/sealed-folder.ts';
import { TFJS_NODE_VERSION } from './package.ts';

/** Version of the TensorFlow library, as its own `TF_Version` says it. */
export const TENSORFLOW_VERSION = '2.21.0';

/** Build of the library; part of the folder's name. */
export const VARIANT = 'cpu';

/** Raised when the files of the library folder change in name or in the way they are built. */
const LAYOUT_VERSION = 3;

const PLATFORM = 'linux-x64';
const FOLDER_NAME = `tensorflow-${TENSORFLOW_VERSION}-${VARIANT}-${PLATFORM}-tfjs-${TFJS_NODE_VERSION}-layout-${LAYOUT_VERSION}`;

/** Absolute paths of one native library. */
export interface LibraryLocation {
  /** Shared by all versions: lock, kept wheel, logs, staging folders. */
  readonly cacheFolder: string;
  readonly libraryFolder: string;
  /** The Node-API add-on; it finds `lib/` beside itself, so the library folder may be moved. */
  readonly addonPath: string;
}

/** What the manifest of the library folder says beside its files. */
export const LIBRARY: About = {
  layout: LAYOUT_VERSION,
  tensorflow: TENSORFLOW_VERSION,
  variant: VARIANT,
  platform: PLATFORM,
  tfjsNode: TFJS_NODE_VERSION,
};

/** Paths of the library this version of Ganglion uses; pure, the folder need not exist. */
export function locateLibrary(env: NodeJS.ProcessEnv = process.env): LibraryLocation {
  const cacheFolder = toCacheFolder(env);
  const libraryFolder = join(cacheFolder, FOLDER_NAME);
  return {
    cacheFolder,
    libraryFolder,
    addonPath: join(libraryFolder, 'tfjs_binding.node'),
  };
}

/**
 * Why the library cannot be loaded; undefined when it is as it was built.
 *
 * @param care `whole` also sees that the time of a shared library has changed, and then hashes it: 850 MB take a second
 * @throws as {@link faultOf}
 */
export function faultOfLibrary(
  { libraryFolder, cacheFolder }: LibraryLocation,
  care: Care = 'quick',
): string | undefined {
  return faultOf(libraryFolder, cacheFolder, LIBRARY, care);
}
