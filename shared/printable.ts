// Text from outside on its way to people: names of files, values of flags, keys of JSON, messages of other programs. A terminal obeys
// control characters, and bidirectional ones reorder what is read: both are written as JSON escapes (`\u001b`), and text is bounded.

/** Controls (C0, DEL, C1), format characters (bidirectional, invisible), line and paragraph separators, halves of pairs. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Characters of a line, and of a value in it. */
const LINE = 1000;
const VALUE = 200;
/** Of an array or object in a value: levels, and entries of each. */
const LEVELS = 3;
const ENTRIES = 20;

function toEscape(character: string): string {
  const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
  return SHORT[character] ?? units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

/** Text in which nothing is obeyed, hidden or reordered; a line break is `\n`. */
export function escapeControls(text: string): string {
  return text.replace(UNPRINTABLE, toEscape);
}

/** Leaves out the middle: what was expected often stands before a value, and what to do behind it. */
function shorten(text: string, most: number): string {
  if (text.length <= most) return text;
  const left = `…(${text.length} characters)…`;
  const head = Math.ceil((most - left.length) * 0.6);
  return `${text.slice(0, head)}${left}${text.slice(text.length - (most - left.length - head))}`;
}

/** One line for people, of about `most` characters where there are more. */
export function toPrintable(text: string, most = LINE): string {
  const escaped = escapeControls(shorten(text, most));
  return escaped.length <= most ? escaped : escapeControls(shorten(escaped, most));
}

/** `1 image`, `60,000 images`. @param what in the singular */
export function counted(count: number, what: string): string {
  return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;
}

/** A value as a message says it was given: JSON, of about 200 characters where there are more. */
export function show(value: unknown): string {
  // JSON has no word for a number that overflowed, and none for nothing.
  const text = typeof value === 'number' ? String(value) : JSON.stringify(prune(value, LEVELS));
  return toPrintable(text ?? 'nothing', VALUE);
}

/** A copy that is quick to write: JSON.stringify overflows the stack with deep values. */
function prune(value: unknown, levels: number): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return shorten(value, VALUE - 2); // and two quotes
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) return Array.isArray(value) ? '[…]' : '{…}';
  if (Array.isArray(value)) return value.slice(0, ENTRIES).map((entry) => prune(entry, levels - 1));
  const entries = Object.entries(value).slice(0, ENTRIES);
  return Object.fromEntries(entries.map(([key, entry]) => [shorten(key, VALUE), prune(entry, levels - 1)]));
}

/** JSON that a terminal shows as it is; it reads back as the same value. */
export function toJson(value: unknown, indent?: number): string {
  // What JSON.stringify leaves of controls stands within its texts, but for the line breaks of an indent.
  const escaped = (character: string): string => (character === '\n' ? character : toEscape(character));
  return JSON.stringify(value, null, indent).replace(UNPRINTABLE, escaped);
}
