// Entry file of the check before a run: which backend computes, where the kernels are not simply there. A child process of the coordinator,
// as it may compile, and load a library that does not fit. Usage: node backend-entry.js auto|cpu|cuda|tensorflow|wasm|webgpu|js
// Prints the backend's name on standard output, and what people are to know on standard error.

import { BACKENDS } from '../../shared/backend.ts';
import { GanglionError } from '../../shared/error.ts';
import { printLine } from '../../shared/print.ts';
import { leaveSignals, SIGNALS_TO_LEAVE } from '../../shared/stop-signals.ts';
import { abortOnInterrupt, Interrupted } from '../build/interrupt.ts';
import { createProgress } from '../build/progress.ts';
import { readKernelsSetting } from '../engines/kernels/binding.ts';
import { chooseBackend } from '../setup/choose-backend.ts';

leaveSignals(SIGNALS_TO_LEAVE);
const setting = BACKENDS.find((backend) => backend === process.argv[2]) ?? 'auto';
try {
  readKernelsSetting(); // a wrong value is refused before anything is made
  const preparation = { progress: createProgress(process.stderr), signal: abortOnInterrupt() };
  const { backend, note } = await chooseBackend(setting, preparation);
  if (note !== null) printLine(process.stderr, `ganglion: ${note}`);
  printLine(process.stdout, backend);
} catch (error) {
  if (!(error instanceof GanglionError || error instanceof Interrupted)) throw error;
  printLine(process.stderr, `ganglion: ${error.message}`);
  process.exitCode = error.exitCode;
}
