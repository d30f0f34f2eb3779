// Entry file of `npm run setup`: a child process of the coordinator, which must not load TensorFlow code itself.

import { GanglionError } from '../../shared/error.ts';
import { installLibrary } from './install.ts';
import { abortOnInterrupt, Interrupted } from './interrupt.ts';
import { isReady, locateLibrary, TENSORFLOW_VERSION, VARIANT } from './library.ts';
import { createProgress } from './progress.ts';

const location = locateLibrary();

try {
  if (!isReady(location))
    await installLibrary(location, createProgress(process.stderr), abortOnInterrupt(), { again: true });
  process.stdout.write(
    `native library ready: TensorFlow ${TENSORFLOW_VERSION} (${VARIANT}) in ${location.libraryFolder}\n`,
  );
} catch (error) {
  if (!(error instanceof GanglionError || error instanceof Interrupted)) throw error;
  process.stderr.write(`ganglion: ${error.message}\n`);
  process.exitCode = error.exitCode;
}
