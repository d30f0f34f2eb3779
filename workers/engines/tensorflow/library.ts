// Where the native library lives, and whether it is complete. The folder is keyed by everything its content depends on, so
// several checkouts share it and an upgrade never meets an old one. Nothing here uses TensorFlow or starts a process.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { toCacheFolder } from '../../build/cache-folder.ts';
import { TFJS_NODE_VERSION } from './package.ts';

/** Version of the TensorFlow library, as its own `TF_Version` says it. */
export const TENSORFLOW_VERSION = '2.21.0';

/** Build of the library; part of the folder's name. */
export const VARIANT = 'cpu';

/** Raised when the files of the library folder change in name or in the way they are built. */
const LAYOUT_VERSION = 2;

const PLATFORM = 'linux-x64';
const FOLDER_NAME = `tensorflow-${TENSORFLOW_VERSION}-${VARIANT}-${PLATFORM}-tfjs-${TFJS_NODE_VERSION}-layout-${LAYOUT_VERSION}`;

/** Absolute paths of one native library. */
export interface LibraryLocation {
  /** Shared by all versions: lock, kept wheel, logs, staging folders. */
  readonly cacheFolder: string;
  readonly libraryFolder: string;
  /** The Node-API add-on; it finds `lib/` beside itself, so the library folder may be moved. */
  readonly addonPath: string;
  readonly manifestPath: string;
}

/** One file of the library folder; `path` is relative to it. */
export interface ManifestFile {
  readonly path: string;
  readonly bytes: number;
}

/** Content of `manifest.json`: written last, so its presence says that every file before it is complete. */
export interface Manifest {
  readonly layout: number;
  readonly tensorflow: string;
  readonly variant: string;
  readonly platform: string;
  readonly tfjsNode: string;
  readonly wheelSha256: string;
  /** What `TF_Version` of the built add-on answered. */
  readonly tfVersion: string;
  readonly files: readonly ManifestFile[];
}

/** Paths of the library this version of Ganglion uses; pure, the folder need not exist. */
export function locateLibrary(env: NodeJS.ProcessEnv = process.env): LibraryLocation {
  const cacheFolder = toCacheFolder(env);
  const libraryFolder = join(cacheFolder, FOLDER_NAME);
  return {
    cacheFolder,
    libraryFolder,
    addonPath: join(libraryFolder, 'tfjs_binding.node'),
    manifestPath: join(libraryFolder, 'manifest.json'),
  };
}

/** The manifest of a library of this version with the given files. */
export function toManifest(wheelSha256: string, tfVersion: string, files: readonly ManifestFile[]): Manifest {
  return {
    layout: LAYOUT_VERSION,
    tensorflow: TENSORFLOW_VERSION,
    variant: VARIANT,
    platform: PLATFORM,
    tfjsNode: TFJS_NODE_VERSION,
    wheelSha256,
    tfVersion,
    files,
  };
}

/**
 * Whether the library is complete: its manifest is of this version, and every file it names has its size. Reads sizes
 * only (well under a millisecond); hashing 850 MB at every start would cost a second.
 */
export function isReady(location: LibraryLocation): boolean {
  try {
    const manifest: unknown = JSON.parse(readFileSync(location.manifestPath, 'utf8'));
    if (!isManifest(manifest)) return false;
    return manifest.files.every((file) => statSync(join(location.libraryFolder, file.path)).size === file.bytes);
  } catch {
    return false; // absent, unreadable or cut short: set-up builds it anew and reports what stands in its way
  }
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== 'object' || value === null) return false;
  const expected = toManifest('', '', []);
  const manifest = value as Partial<Manifest>;
  return (
    manifest.layout === expected.layout &&
    manifest.tensorflow === expected.tensorflow &&
    manifest.variant === expected.variant &&
    manifest.platform === expected.platform &&
    manifest.tfjsNode === expected.tfjsNode &&
    typeof manifest.wheelSha256 === 'string' &&
    typeof manifest.tfVersion === 'string' &&
    Array.isArray(manifest.files) &&
    manifest.files.length > 0 &&
    manifest.files.every((file: unknown) => isManifestFile(file))
  );
}

function isManifestFile(value: unknown): value is ManifestFile {
  if (typeof value !== 'object' || value === null) return false;
  const file = value as Partial<ManifestFile>;
  return typeof file.path === 'string' && typeof file.bytes === 'number';
}
