// Turns the end that the coordinator asks for into an abort signal, so that work in progress can clean up before the process ends.
import { exitCodeOf } from '../../shared/stop-signals.ts';

/** Reason of an abort that a process signal asked for. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  /** What a shell reports for a process ended by this signal. */
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.exitCode = exitCodeOf(signal);
  }
}

/** A signal that aborts with {@link Interrupted} at the first SIGINT or SIGTERM of this process; the others are the coordinator's. */
export function abortOnInterrupt(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => controller.abort(new Interrupted(name)));
  return controller.signal;
}
