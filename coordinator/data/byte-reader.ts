// Exact numbers of bytes from a stream of pieces of any length: memory holds what is asked for, however large the file is.

/** Most bytes of a piece that is read at once. */
const PIECE = 2 ** 20;

export class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#pieces = source[Symbol.asyncIterator]();
  }

  /** The next `count` bytes, or what is left where that is less. */
  async take(count: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let missing = count;
    while (missing > 0) {
      if (this.#held.length === 0) {
        const next = await this.#pieces.next();
        if (next.done === true) break;
        this.#held = next.value;
      }
      const part = this.#held.subarray(0, missing);
      this.#held = this.#held.subarray(part.length);
      missing -= part.length;
      parts.push(part);
    }
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
  }

  /** Reads what is left, and counts it; a stream shows damage at its end. @returns bytes */
  async drain(): Promise<number> {
    let count = 0;
    for (;;) {
      const { length } = await this.take(PIECE);
      if (length === 0) return count;
      count += length;
    }
  }

  /** Ends the stream before its end. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}
