// What the tests of data and images share: temporary folders, small file systems, the real MNIST, errors caught.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { MNIST_FILES } from '../../coordinator/data/mnist-files.ts';
import { GanglionError } from '../../shared/error.ts';

export const FILES = Object.values(MNIST_FILES);

/** The real files: `GANGLION_MNIST`, else beside the repository. */
export const MNIST_FOLDER =
  process.env.GANGLION_MNIST ?? fileURLToPath(new URL('../../../shared/mnist', import.meta.url));

/** A fresh folder, removed after the test. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ganglion-data-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Whether the real files are there; a checkout without them leaves those tests out, CI never does. */
export const hasMnist = ((): boolean => {
  const missing = FILES.map(({ name }) => join(MNIST_FOLDER, `${name}.gz`)).find((path) => !existsSync(path));
  if (missing !== undefined && process.env.CI) throw new Error(`these tests need the real MNIST: expected ${missing}`);
  return missing === undefined;
})();

/** A fresh folder with copies of the real four files, but for `except`: a test may damage them. */
export function copiedMnist(except?: string): string {
  const folder = scratchFolder();
  for (const { name } of FILES) {
    if (name !== except) copyFileSync(join(MNIST_FOLDER, `${name}.gz`), join(folder, `${name}.gz`));
  }
  return folder;
}

/** The GanglionError that `action` throws, as `code: message`. */
export async function errorOf(action: () => unknown): Promise<string> {
  let result: unknown;
  try {
    result = await action();
  } catch (error) {
    if (error instanceof GanglionError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error(`expected a GanglionError, got ${String(result)}`);
}

/** True where this process may mount a tmpfs (root, not in a locked container). */
export const canMount = ((): boolean => {
  if (process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), 'ganglion-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
})();

/** A fresh file system of `kibibytes` KiB, unmounted after the test. */
export function smallFileSystem(kibibytes: number): string {
  const folder = scratchFolder();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', folder]);
  onTestFinished(() => {
    execFileSync('umount', ['--lazy', folder]);
  });
  return folder;
}
