// The command line's part of a stop: the first signal asks for it, a SIGINT after that ends the process at once.
import { EXIT_CODES } from '../../shared/exit-codes.ts';
import { exitCodeOf, type StopSignal } from '../../shared/stop-signals.ts';
import type { StopSwitch } from '../run/stop.ts';
import type { Signals } from './signals.ts';

/** A terminal's Ctrl-C reaches a program that npm runs twice, from the terminal and from npm: within this time, one press. */
const SAME_PRESS_MS = process.env.npm_lifecycle_event === undefined ? 0 : 500;

/** @returns the signal that has asked for the stop, if one did */
export function stopBySignals(stop: StopSwitch, signals: Signals): () => StopSignal | undefined {
  let asked: StopSignal | undefined;
  let askedMs = 0;
  stop.onRequest(() => {
    askedMs = performance.now();
  });
  signals.take((signal) => {
    if (!stop.requested) {
      asked = signal;
      stop.request(signal);
    } else if (signal === 'SIGINT' && performance.now() - askedMs >= SAME_PRESS_MS) process.exit(exitCodeOf(signal));
  });
  return () => asked;
}

/**
 * Exit code of a run that a signal has stopped before its last step.
 *
 * @param run.hasBegun whether it has written anything
 * @param run.goesOn whether the same command goes on with it: to a scheduler 0 would say that it is done
 */
export function exitCodeOfStop(
  signal: StopSignal,
  { hasBegun, goesOn }: { readonly hasBegun: boolean; readonly goesOn: boolean },
): number {
  const byPerson = signal === 'SIGINT' || signal === 'SIGTERM';
  if (goesOn || !byPerson) return EXIT_CODES.goOn;
  return hasBegun ? EXIT_CODES.done : exitCodeOf(signal);
}
