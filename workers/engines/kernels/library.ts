// Where the compiled kernels live, and whether they are there. The folder is keyed by the C++ sources and the way they are compiled, so
// that newer sources never meet an older add-on, and several checkouts share one. Nothing here starts a process.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toCacheFolder } from '../../../shared/cache-folder.ts';
import { addonFile, type FoundAddon, findAddon } from '../../build/addon.ts';

/** What the compiler gets beside paths. The kernels choose their instructions themselves, so nothing here depends on the processor. */
export const COMPILER_FLAGS: readonly string[] = [
  ...['-std=c++17', '-O3', '-fPIC', '-DNAPI_VERSION=8', '-fno-math-errno', '-ffp-contract=off'],
  ...['-Wall', '-Wextra', '-Wno-psabi', '-Wno-maybe-uninitialized'],
];

/** What the compiler gets to link the compiled files: on macOS the add-on finds Node-API when it is loaded. */
export const LINKER_FLAGS: readonly string[] =
  process.platform === 'darwin'
    ? ['-bundle', '-undefined', 'dynamic_lookup']
    : ['-shared', '-static-libstdc++', '-static-libgcc'];

/** Name of the add-on. */
export const KERNELS = 'ganglion_kernels';

/** Raised when the files of the folder change in name or in the way they are built. */
const LAYOUT_VERSION = 2;

/** What is compiled for a processor, as Node names it. */
const UNITS: Readonly<Record<string, readonly string[]>> = {
  x64: ['addon.cc', 'avx2.cc', 'avx512.cc'],
  arm64: ['addon.cc', 'neon.cc'],
};

/** Absolute paths of the C++ files to compile for a processor, as Node names it; headers lie beside them. */
export function unitsOf(arch: string): string[] {
  return (UNITS[arch] ?? []).map((name) => join(SOURCE_FOLDER, name));
}

/** The sources lie beside this file, also for the compiled one: the build does not copy them. */
const SOURCE_FOLDER = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './' : '../../../../workers/engines/kernels/', import.meta.url),
);

/** One C++ file of the kernels. */
export interface KernelSource {
  /** Without a folder: `addon.cc`. */
  readonly name: string;
  readonly content: Buffer;
}

/** Absolute paths of the compiled kernels. */
export interface KernelsLocation {
  readonly cacheFolder: string;
  /** See {@link toKernelsKey}. */
  readonly key: string;
  /** Where they are compiled to, if they are; it comes into being as a whole. */
  readonly kernelsFolder: string;
  /** The Node-API add-on in it. */
  readonly addonPath: string;
  /** The C++ files to compile; headers lie beside them. */
  readonly units: readonly string[];
}

/** The `*.cc` and `*.h` of a folder, by name. */
export function readSources(folder: string = SOURCE_FOLDER): KernelSource[] {
  const names = readdirSync(folder).filter((name) => /\.(cc|h)$/.test(name));
  return names.sort().map((name) => ({ name, content: readFileSync(join(folder, name)) }));
}

/** The first 12 digits of the SHA-256 over everything that its bits are made from, on every system. */
export function toKernelsKey(sources: readonly KernelSource[], flags: readonly string[] = COMPILER_FLAGS): string {
  const parts = sources.map(({ name, content }) => [name, content.length]);
  const hash = createHash('sha256').update(JSON.stringify([LAYOUT_VERSION, flags, parts]));
  for (const { content } of sources) hash.update(content);
  return hash.digest('hex').slice(0, 12);
}

/** Paths of the kernels of this checkout's sources, which it reads: about a millisecond. The folder need not exist. */
export function locateKernels(env: NodeJS.ProcessEnv = process.env): KernelsLocation {
  const cacheFolder = toCacheFolder(env);
  const sources = readSources();
  const key = toKernelsKey(sources);
  const kernelsFolder = join(cacheFolder, `kernels-${key}-${process.platform}-${process.arch}`);
  return {
    cacheFolder,
    key,
    kernelsFolder,
    addonPath: join(kernelsFolder, addonFile(KERNELS)),
    units: unitsOf(process.arch),
  };
}

/** The add-on to load: the one compiled here, or that of the package. @throws GanglionError as {@link findAddon} */
export function findKernels({ kernelsFolder: builtFolder, cacheFolder, key }: KernelsLocation): FoundAddon {
  return findAddon({ name: KERNELS, key, cacheFolder, builtFolder });
}
