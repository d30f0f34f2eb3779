// The lines of a file of JSON records, from its pieces.

/** Bytes that are read at a time. */
export const PIECE_BYTES = 2 ** 18;
/** Longest line that is a record; the longest written, of a step whose shards are all bad, has some 100 kB. */
const MOST_LINE_BYTES = 2 ** 20;
const NEWLINE = 10;
/** Some editors put one before the first line. */
const BYTE_ORDER_MARK = '\ufeff';

/** A line that has an end. */
export interface JsonLine {
  /** Undefined when the line is damaged: no JSON, or longer than any record. */
  readonly record: unknown;
  /** Where the next line begins, in bytes. */
  readonly end: number;
}

/** What a crash has cut, after the last line, is not given. Holds at most a line. */
export class LineSplitter {
  #held: Buffer[] = [];
  #heldBytes = 0;
  #bytes = 0;

  /** Length of the pieces so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @param piece the next of the file; not kept */
  split(piece: Buffer): JsonLine[] {
    const lines: JsonLine[] = [];
    let from = 0;
    for (let at = piece.indexOf(NEWLINE); at !== -1; at = piece.indexOf(NEWLINE, from)) {
      lines.push({ record: this.#parse(piece.subarray(from, at)), end: this.#bytes + at + 1 });
      from = at + 1;
    }
    this.#hold(piece.subarray(from));
    this.#bytes += piece.length;
    return lines;
  }

  #hold(part: Buffer): void {
    this.#heldBytes += part.length;
    if (this.#heldBytes > MOST_LINE_BYTES) this.#held = [];
    else this.#held.push(Buffer.from(part));
  }

  #parse(part: Buffer): unknown {
    const bytes = this.#heldBytes + part.length;
    const line = this.#heldBytes === 0 ? part : Buffer.concat([...this.#held, part]);
    this.#held = [];
    this.#heldBytes = 0;
    return bytes > MOST_LINE_BYTES ? undefined : parse(line.toString('utf8'));
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text);
  } catch {
    return undefined;
  }
}
