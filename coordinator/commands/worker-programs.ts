// Where the compiled entry files of the workers' side lie, and how those that are programs of their own are run: the coordinator
// never imports them.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Device, Devices } from '../../shared/device.ts';
import { exitCodeOf, type StopSignal } from '../../shared/stop-signals.ts';
import { PROGRAMS } from '../run/programs.ts';
import { type DeviceSettings, resolveDevices } from '../run/resolve-devices.ts';
import type { Signals } from './signals.ts';

const entry = (path: string): URL => new URL(`../../workers/entry/${path}`, import.meta.url);

const SETUP_ENTRY = entry('setup-entry.js');
const DOCTOR_ENTRY = entry('doctor-entry.js');

/**
 * Runs an entry file to its end with this process's terminal.
 *
 * @param onOutput takes its standard output in place of the terminal
 * @returns its exit code, or that of the signal that ended it
 */
async function runEntry(
  url: URL,
  args: readonly string[],
  signals: Signals,
  onOutput?: (text: string) => void,
): Promise<number> {
  let passed: StopSignal | undefined;
  const output = onOutput ? 'pipe' : 'inherit';
  const child = spawn(process.execPath, [fileURLToPath(url), ...args], { stdio: ['inherit', output, 'inherit'] });
  if (onOutput) child.stdout?.setEncoding('utf8').on('data', onOutput);
  // The child cleans up and ends; this process waits for it. Of signals that reach both, it leaves all but these two alone.
  const leave = signals.take((signal) => {
    passed ??= signal;
    child.kill(signal === 'SIGINT' ? signal : 'SIGTERM');
  });
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        const ended = passed ?? signal; // it may have been done, or have failed, when the signal came
        resolve(ended === null ? (code ?? 1) : exitCodeOf(ended));
      });
    });
  } finally {
    leave();
  }
}

/** Compiles the kernels, or sets up TensorFlow, where they are missing. @returns exit code */
export function runSetup(signals: Signals, args: readonly string[]): Promise<number> {
  return runEntry(SETUP_ENTRY, args, signals);
}

/** Prints what is there and whether it works. @returns exit code */
export function runDoctor(signals: Signals, args: readonly string[]): Promise<number> {
  return runEntry(DOCTOR_ENTRY, args, signals);
}

/** Thrown when a program of the workers' side has failed and said so itself. */
export class AlreadyReported extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/**
 * What settings mean on this machine; see {@link resolveDevices}. Its program uses this process's terminal.
 *
 * @throws AlreadyReported when it cannot run; it has been printed why
 */
export function chooseDevices(settings: DeviceSettings, signals: Signals): Promise<Devices> {
  return resolveDevices(settings, PROGRAMS, async (entry, args) => {
    let output = '';
    const exitCode = await runEntry(entry, args, signals, (text) => {
      output += text;
    });
    if (exitCode !== 0) throw new AlreadyReported(exitCode);
    return output;
  });
}

/** The first device of a backend. @throws AlreadyReported as {@link chooseDevices} */
export async function chooseDevice(backend: DeviceSettings['backend'], signals: Signals): Promise<Device> {
  const [device] = await chooseDevices({ backend, devices: 'auto' }, signals);
  return device;
}
