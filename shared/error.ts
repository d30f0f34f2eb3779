// The one error class. A code says whose mistake it is; it crosses threads and processes whole (toPlain, fromPlain).

import { EXIT_CODES } from './exit-codes.ts';
import { toPrintable } from './printable.ts';

/**
 * Whose mistake, and so the exit code of the command line:
 * - `usage`, `config`, `data`, `checkpoint`: the user's input (exit 2);
 * - `environment`: the machine (disk, port, permissions, missing program: exit 1);
 * - `replica`: a replica failed on a shard; `shape`, `range`: wrong tensor shape, value not finite or too large (exit 1);
 * - `faults`: replicas failed too often, or gradients stayed bad (exit 3);
 * - `nodes`: too few nodes are left, or one does not answer (exit 75).
 */
export const ERROR_CODES = [
  'usage',
  'config',
  'data',
  'checkpoint',
  'environment',
  'replica',
  'shape',
  'range',
  'faults',
  'nodes',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * How a replica was lost: it ended (`exit`), its channel closed (`channel`), it threw (`error`), gave no answer in time
 * (`deadline`), gave no sign of life (`heartbeat`), sent what is no message (`frame`), gave a value out of range (`range`) or other
 * bits (`audit`) where other replicas agree.
 */
export const FAULT_REASONS = ['exit', 'channel', 'error', 'deadline', 'heartbeat', 'frame', 'range', 'audit'] as const;
export type FaultReason = (typeof FAULT_REASONS)[number];

/** Where in the run it happened, as far as known. */
export interface ErrorPlace {
  readonly replica?: number;
  readonly step?: number;
  readonly pass?: string;
  readonly shard?: number;
}

/** A structured-clonable form of a {@link GanglionError}. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly place: ErrorPlace;
  readonly reason?: FaultReason;
  readonly stack?: string;
}

/** An error with a {@link ErrorCode}; its message is one printable line that says expected and got. */
export class GanglionError extends Error {
  override readonly name = 'GanglionError';
  readonly code: ErrorCode;
  readonly place: ErrorPlace;
  /** How a replica was lost. */
  readonly reason: FaultReason | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; place?: ErrorPlace; reason?: FaultReason | undefined } = {},
  ) {
    super(toPrintable(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.place = options.place ?? {};
    this.reason = options.reason;
  }

  /** Exit code of the command line: 2 for input, 3 for too many faults, 75 for lost nodes, 1 for the environment and the rest. */
  get exitCode(): 1 | 2 | 3 | 75 {
    if (this.code === 'nodes') return EXIT_CODES.goOn;
    if (this.code === 'faults') return EXIT_CODES.gaveUp;
    return this.code === 'usage' || this.code === 'config' || this.code === 'data' || this.code === 'checkpoint'
      ? EXIT_CODES.mistake
      : EXIT_CODES.machine;
  }

  toPlain(): PlainError {
    return {
      code: this.code,
      message: this.message,
      place: this.place,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
      ...(this.stack === undefined ? {} : { stack: this.stack }),
    };
  }

  static fromPlain(plain: PlainError): GanglionError {
    const error = new GanglionError(plain.code, plain.message, { place: plain.place, reason: plain.reason });
    if (plain.stack !== undefined) error.stack = plain.stack;
    return error;
  }
}

/** `errno` code of a Node system error, such as `ENOSPC`, else undefined. */
export function systemErrorCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** The message of anything thrown, in one printable line. */
export function messageOf(error: unknown): string {
  return toPrintable((error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, ' ').trim());
}
