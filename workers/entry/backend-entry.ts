// Entry file of the check before a run: which backend computes, where the kernels are not simply there. A child process of the coordinator,
// as it may compile, and load a library that does not fit. Usage: node backend-entry.js auto|BACKEND|DEVICES
// Prints the devices on standard output (cuda:0,cuda:1), and what people are to know on standard error.

import { BACKENDS } from '../../shared/backend.ts';
import { parseDevices, showDevices } from '../../shared/device.ts';
import { GanglionError } from '../../shared/error.ts';
import { printLine } from '../../shared/print.ts';
import { leaveSignals, SIGNALS_TO_LEAVE } from '../../shared/stop-signals.ts';
import { abortOnInterrupt, Interrupted } from '../build/interrupt.ts';
import { createProgress } from '../build/progress.ts';
import { readKernelsSetting } from '../engines/kernels/binding.ts';
import { chooseBackend } from '../setup/choose-backend.ts';

leaveSignals(SIGNALS_TO_LEAVE);
const [, , given = 'auto'] = process.argv;
const setting = BACKENDS.find((backend) => backend === given) ?? (given === 'auto' ? given : parseDevices(given));
try {
  readKernelsSetting(); // a wrong value is refused before anything is made
  const preparation = { progress: createProgress(process.stderr), signal: abortOnInterrupt() };
  const { devices, note } = await chooseBackend(setting, preparation);
  if (note !== null) printLine(process.stderr, `ganglion: ${note}`);
  if (devices === null) throw new Error(`expected everything to be built for ${given}`);
  printLine(process.stdout, showDevices(devices));
} catch (error) {
  if (!(error instanceof GanglionError || error instanceof Interrupted)) throw error;
  printLine(process.stderr, `ganglion: ${error.message}`);
  process.exitCode = error.exitCode;
}
