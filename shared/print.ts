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
