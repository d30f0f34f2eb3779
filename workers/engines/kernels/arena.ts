// Where the buffers of a plan lie: two may share memory when the last step that uses one comes before the first that uses the other.
// The fewer bytes a pass touches, the more of them are in the cache.

/** What is known of a buffer: its size, and the array of the caller that it is, if it is one. */
interface Buffer {
  readonly floats: number;
  readonly array?: number;
}

interface Use {
  readonly reads: readonly number[];
  readonly writes: readonly number[];
}

/** Buffers begin on a cache line, and not all at the same distance from a page: loads and stores 4 KiB apart would seem to be one. */
const LINE_FLOATS = 16;
const GAP_FLOATS = 32;

/**
 * Places buffers, first fit.
 *
 * @param steps in the order in which they run
 * @returns of every buffer its offset in floats, or -1 - i when it is the caller's array i; and the size of all together
 */
export function placeBuffers(
  buffers: readonly Buffer[],
  steps: readonly Use[],
): { readonly offsets: number[]; readonly floats: number } {
  const lives = buffers.map((_, buffer) => {
    const used = steps.flatMap(({ reads, writes }, step) =>
      reads.includes(buffer) || writes.includes(buffer) ? [step] : [],
    );
    return { first: used[0] ?? 0, last: used.at(-1) ?? 0 };
  });
  const placed: { first: number; last: number; from: number; to: number }[] = [];
  const offsets = buffers.map(({ array }) => (array === undefined ? 0 : -1 - array));
  const order = lives
    .map(({ first, last }, buffer) => ({ first, last, buffer }))
    .filter(({ buffer }) => buffers[buffer]?.array === undefined)
    .sort((a, b) => a.first - b.first);
  for (const { first, last, buffer } of order) {
    const floats = Math.ceil((buffers[buffer]?.floats ?? 0) / LINE_FLOATS) * LINE_FLOATS + GAP_FLOATS;
    const inTheWay = placed
      .filter((other) => other.first <= last && first <= other.last)
      .sort((a, b) => a.from - b.from);
    let from = 0;
    for (const other of inTheWay) {
      if (from + floats <= other.from) break;
      from = Math.max(from, other.to);
    }
    placed.push({ first, last, from, to: from + floats });
    offsets[buffer] = from;
  }
  return { offsets, floats: placed.reduce((most, { to }) => Math.max(most, to), 0) };
}
