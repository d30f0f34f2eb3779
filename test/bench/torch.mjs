// A Python with PyTorch: one that is there, or a virtual environment in Ganglion's cache, made by pip.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { toCacheFolder } from '../../dist/shared/cache-folder.js';
import { execute, ROOT } from './execute.mjs';

const REQUIREMENTS = join(ROOT, 'test/golden/requirements.txt');
/** The builds without CUDA, a tenth of the size. */
const CPU_WHEELS = 'https://download.pytorch.org/whl/cpu';

/**
 * @param {{ python?: string, torch?: string }} options `--python PATH`, `--torch install`
 * @returns {Promise<string | undefined>} the program; undefined where neither was asked for
 */
export async function findPython({ python, torch }) {
  // A bare name is looked up in PATH; a path is taken from here, not from the folder the child runs in.
  if (python !== undefined) return python.includes('/') ? resolve(python) : python;
  if (torch !== 'install') return undefined;
  const version = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const folder = join(toCacheFolder(), `bench-torch-${version}`);
  const program = join(folder, 'bin', 'python');
  const complete = join(folder, 'complete');
  if (existsSync(complete)) return program;
  rmSync(folder, { recursive: true, force: true });
  console.error(`installing ${readFileSync(REQUIREMENTS, 'utf8').trim().replaceAll('\n', ', ')} into ${folder}`);
  await execute('python3', ['-m', 'venv', folder]);
  await execute(program, ['-m', 'pip', 'install', '--quiet', '--extra-index-url', CPU_WHEELS, '-r', REQUIREMENTS]);
  await execute(program, ['-c', 'import torch, numpy']);
  writeFileSync(complete, '');
  return program;
}

/** @param {string} python */
export async function torchVersion(python) {
  return (await execute(python, ['-c', 'import torch; print(torch.__version__)'])).trim();
}
