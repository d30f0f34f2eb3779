// Compiles the add-ons that the package brings, for every processor and C library, with one cross compiler: `npm run prebuilds`, a part of
// `npm pack`. Usage: node workers/setup/prebuilds.mjs [TARGET...], such as linux-x64-musl; all of them where none is named. The folder
// prebuilds is made anew. The CUDA engine's add-on links nothing: NVIDIA's driver is loaded by name.
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { addonFile } from '../../dist/workers/build/addon.js';
import { sealFolder } from '../../dist/workers/build/sealed-folder.js';
import { ADDON_FLAGS, CUDA, locateCuda } from '../../dist/workers/engines/cuda/library.js';
import { COMPILER_FLAGS, KERNELS, locateKernels, unitsOf } from '../../dist/workers/engines/kernels/library.js';

const path = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
const FOLDER = path('../../prebuilds');
const HEADERS = join(dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json')), 'include');

/** What zig compiles for. Node.js 20 itself needs glibc 2.28 and macOS 11. */
const TARGETS = {
  'linux-x64-glibc': 'x86_64-linux-gnu.2.28',
  'linux-x64-musl': 'x86_64-linux-musl',
  'linux-arm64-glibc': 'aarch64-linux-gnu.2.28',
  'linux-arm64-musl': 'aarch64-linux-musl',
  'darwin-arm64': 'aarch64-macos.11.0',
};
const WARNINGS = ['-Wno-unknown-warning-option', '-Wno-unused-command-line-argument'];

const names = process.argv.slice(2);
const targets = Object.entries(TARGETS).filter(([name]) => names.length === 0 || names.includes(name));
const unknown = names.find((name) => !Object.hasOwn(TARGETS, name));
if (unknown !== undefined) {
  process.stderr.write(`prebuilds: expected ${Object.keys(TARGETS).join(', ')}, got ${unknown}\n`);
  process.exit(2);
}

const run = promisify(execFile);
rmSync(FOLDER, { recursive: true, force: true });
const environment = { ...process.env, GANGLION_CUDA: '' };
const [kernels, cuda] = [locateKernels(environment), locateCuda(environment)];
await run(path('../build/zig'), ['version']); // it is fetched once, before two ask for it
for (const [name, target] of targets) {
  const [platform = '', arch = '', libc = ''] = name.split('-');
  const folder = join(FOLDER, `${platform}-${arch}`);
  mkdirSync(folder, { recursive: true });
  const link = platform === 'darwin' ? ['-Wl,-undefined,dynamic_lookup'] : [];
  /** @type {(addon: string, args: readonly string[]) => Promise<unknown>} */
  const compile = (addon, args) => {
    const output = join(folder, addonFile(addon, libc));
    return run(path('../build/zig'), [
      'c++',
      '-target',
      target,
      '-s',
      '-shared',
      ...link,
      '-I',
      HEADERS,
      ...args,
      ...WARNINGS,
      '-o',
      output,
    ]);
  };
  await Promise.all([
    compile(KERNELS, [...COMPILER_FLAGS, ...unitsOf(arch)]),
    ...(name === 'linux-x64-glibc' ? [compile(CUDA, [...ADDON_FLAGS, cuda.sources.addon])] : []), // as the driver
  ]);
  process.stdout.write(`${name}\n`);
}
for (const folder of new Set(targets.map(([name]) => name.split('-').slice(0, 2).join('-')))) {
  await sealFolder(join(FOLDER, folder), { [KERNELS]: kernels.key, [CUDA]: cuda.key });
}
