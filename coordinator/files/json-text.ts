// JSON that people write, with whatever editor they have: UTF-8, with a byte order mark or without, or UTF-16 with one, as Windows writes it.
import { type ErrorCode, GanglionError, messageOf } from '../../shared/error.ts';

const UTF16_MARKS = [
  { mark: [0xff, 0xfe], encoding: 'utf-16le' },
  { mark: [0xfe, 0xff], encoding: 'utf-16be' },
] as const;

/** What JSON lacks and other formats have, where it stands in the way. */
const HABITS = [
  { pattern: /^\s*(\/\/|\/\*|#)|[,{[]\s*(\/\/|\/\*)/m, hint: 'JSON has no comments' },
  { pattern: /,\s*[}\]]/, hint: 'JSON has no comma before } or ]' },
  { pattern: /[{,]\s*'|:\s*'/, hint: 'JSON has double quotes' },
] as const;

/**
 * @param bytes content of the file
 * @param path of the file, for the message
 * @throws GanglionError with `code`, one line, when it is not JSON
 */
export function parseJson(bytes: Uint8Array, path: string, code: ErrorCode): unknown {
  const fail = (got: string, cause?: unknown): never => {
    throw new GanglionError(code, `${path}: expected JSON, got ${got}`, { cause });
  };
  const { encoding } = UTF16_MARKS.find(({ mark }) => mark.every((byte, i) => bytes[i] === byte)) ?? {
    encoding: 'utf-8',
  };
  let text: string;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes); // which leaves the mark out
  } catch (error) {
    return fail('text that is not UTF-8: save it as UTF-8', error);
  }
  if (text.trim() === '') return fail('an empty file');
  try {
    return JSON.parse(text);
  } catch (error) {
    return fail(`an error: ${messageOf(error)}${placeOf(error, text)}${hintFor(text)}`, error);
  }
}

/** The line of an error, which newer versions of Node.js say themselves. */
function placeOf(error: unknown, text: string): string {
  const message = messageOf(error);
  const position = /at position (\d+)/.exec(message)?.[1];
  if (position === undefined || message.includes('(line ')) return '';
  return ` (line ${text.slice(0, Number(position)).split('\n').length})`;
}

function hintFor(text: string): string {
  const habit = HABITS.find(({ pattern }) => pattern.test(text));
  return habit ? `; ${habit.hint}` : '';
}
