// The signals by which a terminal, a scheduler or a service manager asks for an end. They often reach all processes of a run at once: the
// coordinator decides, its processes wait for its word.
import inspector from 'node:inspector';
import { constants } from 'node:os';

/** HUP: the terminal is gone. USR1, USR2, XCPU: a scheduler's time limit is near. */
export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGXCPU'] as const;

export type StopSignal = (typeof STOP_SIGNALS)[number];

/** All but the two that the coordinator passes on to a program which cleans up. */
export const SIGNALS_TO_LEAVE = STOP_SIGNALS.filter((signal) => signal !== 'SIGINT' && signal !== 'SIGTERM');

/** Exit code of a process that a signal has ended, as a shell reports it. */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** When to look for the debugger again: Node.js opens it on a thread of its own, and so up to some time after the signal. */
const LOOK_AGAIN_MS = [0, 100, 1000];

/** Leaves signals to the coordinator, in one of its processes. To be called first. */
export function leaveSignals(signals: readonly StopSignal[]): void {
  for (const signal of signals) process.on(signal, () => {});
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {}); // their terminal may be closed
  closeDebugger(() => {});
}

/**
 * Until a program listens to SIGUSR1, which takes it some 40 ms to do, Node.js answers it by opening its debugger to everybody on this
 * machine. Closes that, unless it was asked for.
 *
 * @param onFound called when it was open, as a SIGUSR1 has arrived then
 */
export function closeDebugger(onFound: () => void): void {
  const flags = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ');
  // What NODE_OPTIONS loads before the program may open it, too, as editors do.
  if (/--inspect|--require|--import|(^| )-r /.test(flags)) return;
  let found = false;
  const look = (): void => {
    if (found || inspector.url() === undefined) return;
    found = true;
    inspector.close();
    onFound();
  };
  look();
  for (const ms of LOOK_AGAIN_MS) setTimeout(look, ms).unref();
}
