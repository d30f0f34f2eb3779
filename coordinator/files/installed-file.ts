// Files that come with the installation: parts of pages, programs in WebAssembly, the digits of the package `mnist`.
import { fileURLToPath } from 'node:url';
import { fromSystemError } from './atomic-file.ts';
import { readRegularSync } from './regular-file.ts';

/** Some ten times the largest, the digits of the package `mnist`. */
const MOST_BYTES = 2 ** 25;

/** @throws GanglionError `environment` when the installation lacks the file, or has something else in its place */
export function readInstalled(file: string | URL): Buffer {
  try {
    return readRegularSync(file, MOST_BYTES);
  } catch (error) {
    throw fromSystemError(`cannot read ${typeof file === 'string' ? file : fileURLToPath(file)}`, error);
  }
}
