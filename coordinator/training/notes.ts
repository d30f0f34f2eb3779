// Short texts that nodes tell each other beside their sums: behind every vector there is room for a part of one. The nodes take turns to fill
// it and the others leave zeros, so it costs no operation of its own, and adds up exactly.

/** Room behind a vector, in doubles: 1 kB beside 350 kB of the smaller vector. */
export const NOTE_LENGTH = 128;
/** Before the bytes: number of the sender and one, bytes, and whether they are the last of the text. */
const HEAD = 3;
/** Bytes a double: an integer below 2^48. */
const BYTES = 6;
const PART_BYTES = (NOTE_LENGTH - HEAD) * BYTES;

export interface NotesOptions {
  /** Number of this node. */
  readonly node: number;
  /** What this node has to tell, asked when it is its turn and the text before is told; undefined: nothing. */
  readonly tell?: (() => string | undefined) | undefined;
  /** Receives whole texts of other nodes. */
  readonly onTold?: ((node: number, text: string) => void) | undefined;
}

export class Notes {
  readonly #options: NotesOptions;
  /** What is left to tell of this node's text. */
  #rest = new Uint8Array();
  /** Parts of the texts that others are telling. */
  readonly #parts = new Map<number, Uint8Array[]>();

  constructor(options: NotesOptions) {
    this.#options = options;
  }

  /**
   * Writes what this node tells with the next sum; the same when it is called again before {@link read}.
   *
   * @param room of {@link NOTE_LENGTH} doubles
   */
  write(room: Float64Array, isOwnTurn: boolean): void {
    room.fill(0);
    if (!isOwnTurn) return;
    if (this.#rest.length === 0) this.#rest = new TextEncoder().encode(this.#options.tell?.());
    const part = this.#rest.subarray(0, PART_BYTES);
    if (part.length === 0) return;
    room.set([this.#options.node + 1, part.length, part.length === this.#rest.length ? 1 : 0]);
    for (const [i, byte] of part.entries()) {
      const at = HEAD + Math.floor(i / BYTES);
      room[at] = (room[at] as number) + byte * 256 ** (i % BYTES);
    }
  }

  /** Reads what came with a sum: every sum once, in order. */
  read(room: Float64Array): void {
    const [from = 0, length = 0, isLast = 0] = room;
    if (from === 0) return;
    const sender = from - 1;
    if (sender === this.#options.node) this.#rest = this.#rest.subarray(length);
    else if (this.#options.onTold) this.#add(sender, unpack(room, length), isLast === 1);
  }

  /** Drops what lost nodes have not told to the end. */
  forget(nodes: readonly number[]): void {
    for (const node of nodes) this.#parts.delete(node);
  }

  #add(sender: number, part: Uint8Array, isLast: boolean): void {
    const parts = [...(this.#parts.get(sender) ?? []), part];
    if (!isLast) {
      this.#parts.set(sender, parts);
      return;
    }
    this.#parts.delete(sender);
    this.#options.onTold?.(sender, Buffer.concat(parts).toString());
  }
}

function unpack(room: Float64Array, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => {
    const value = room[HEAD + Math.floor(i / BYTES)] as number;
    return Math.floor(value / 256 ** (i % BYTES)) % 256;
  });
}
