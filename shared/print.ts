// Where text leaves for a terminal. Nothing else in the sources writes to standard output or standard error (a test looks), so that no
// text from outside gets there as it is.
import { toJson, toPrintable } from './printable.ts';

/** Writes one line. */
export function printLine(stream: NodeJS.WritableStream, text: string): void {
  stream.write(`${toPrintable(text)}\n`);
}

/** Writes a whole value as JSON, for programs and people. */
export function printJson(stream: NodeJS.WritableStream, value: unknown, indent?: number): void {
  stream.write(`${toJson(value, indent)}\n`);
}

/** Writes a record for a program that reads it out of this output: RS, JSON, a line feed (RFC 7464). */
export function printRecord(stream: NodeJS.WritableStream, value: unknown): void {
  stream.write(`\u001e${toJson(value)}\n`);
}

/** Passes on what another process of Ganglion has printed, by these rules. */
export function passOn(stream: NodeJS.WritableStream, printed: Uint8Array): void {
  if (printed.length > 0) stream.write(printed);
}
