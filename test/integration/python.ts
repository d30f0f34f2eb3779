// Programs that read what a run leaves, from Python's package index: pip puts them once into Ganglion's cache.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { toCacheFolder } from '../../shared/cache-folder.ts';
import { isInstalled, REPOSITORY } from './ganglion.ts';

const READERS = join(REPOSITORY, 'test', 'readers');
const hasPip = isInstalled('python3', '-m', 'pip', '--version') && isInstalled('python3', '-m', 'venv', '--help');
/** Whether tests that need these programs must be skipped. */
export const withoutPip = !hasPip && !process.env.CI;
if (withoutPip)
  console.warn('tests with TensorBoard, Pillow and pandas are skipped: there is no python3 with pip and venv');

/** A Python that has the programs; the first time, that takes a minute. */
function findPython(): string {
  const requirements = join(READERS, 'requirements.txt');
  const version = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const folder = join(toCacheFolder(), `test-readers-${version}`);
  if (!existsSync(folder)) {
    const made = `${folder}.${process.pid}`;
    mkdirSync(dirname(folder), { recursive: true });
    rmSync(made, { recursive: true, force: true });
    execFileSync('python3', ['-m', 'venv', made]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements];
    execFileSync(join(made, 'bin', 'python'), pip, { stdio: ['ignore', 'ignore', 'pipe'] });
    try {
      renameSync(made, folder);
    } catch (error) {
      rmSync(made, { recursive: true, force: true });
      if (!existsSync(folder)) throw error; // else another process was first
    }
  }
  return join(folder, 'bin', 'python');
}

/** What hadolint says. @throws when its exit code is not 0 */
export function hadolint(file: string): string {
  return execFileSync(join(dirname(findPython()), 'hadolint'), [file], { encoding: 'utf8' });
}

/** What check-jsonschema says of a file under a schema that it brings. @throws when its exit code is not 0 */
export function checkSchema(schema: string, file: string): string {
  // As a module: the environment was moved since its scripts were written.
  return execFileSync(findPython(), ['-m', 'check_jsonschema', '--builtin-schema', schema, file], { encoding: 'utf8' });
}

/** Writes a set of images into a folder as people have it: test/readers/write_data.py. */
export function writeData(folder: string, images: Uint8Array, labels: Uint8Array): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'images.bin'), images);
  writeFileSync(join(folder, 'labels.bin'), labels);
  const args = [join(READERS, 'write_data.py'), folder, String(labels.length)];
  execFileSync(findPython(), args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** What a program of test/readers prints, which is JSON. */
export function read(program: 'read_events.py' | 'read_gif.py', ...args: readonly string[]): unknown {
  const output = execFileSync(findPython(), [join(READERS, program), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(output);
}
