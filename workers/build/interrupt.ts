// Turns SIGINT, SIGTERM and SIGHUP into an abort signal, so that work in progress can clean up before the process ends.

import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Reason of an abort that a process signal asked for. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  /** What a shell reports for a process ended by this signal: 128 plus its number. */
  readonly exitCode: number;

  constructor(signalName: (typeof SIGNALS)[number]) {
    super(`interrupted by ${signalName}`);
    this.exitCode = 128 + constants.signals[signalName];
  }
}

/** A signal that aborts with {@link Interrupted} at the first SIGINT, SIGTERM or SIGHUP of this process. */
export function abortOnInterrupt(): AbortSignal {
  const controller = new AbortController();
  for (const name of SIGNALS) process.on(name, () => controller.abort(new Interrupted(name)));
  return controller.signal;
}
