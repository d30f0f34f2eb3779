// Entry file of `npm run setup`, and of the check before a run: a child process of the coordinator, which must not load
// TensorFlow code itself. Usage: node setup-entry.js [--quiet-if-ready]

import { GanglionError } from '../../shared/error.ts';
import { abortOnInterrupt, Interrupted } from './interrupt.ts';
import { isReady, locateLibrary, TENSORFLOW_VERSION, VARIANT } from './library.ts';

const location = locateLibrary();
const quietIfReady = process.argv.includes('--quiet-if-ready');
const wasReady = isReady(location);

try {
  if (!wasReady) {
    // loaded only when needed: this runs before every training run, and the answer is nearly always "ready"
    const [{ installLibrary }, { createProgress }] = await Promise.all([
      import('./install.ts'),
      import('./progress.ts'),
    ]);
    await installLibrary(location, createProgress(process.stderr), abortOnInterrupt());
  }
  if (!(wasReady && quietIfReady))
    process.stdout.write(
      `native library ready: TensorFlow ${TENSORFLOW_VERSION} (${VARIANT}) in ${location.libraryFolder}\n`,
    );
} catch (error) {
  if (!(error instanceof GanglionError || error instanceof Interrupted)) throw error;
  process.stderr.write(`ganglion: ${error.message}\n`);
  process.exitCode = error.exitCode;
}
