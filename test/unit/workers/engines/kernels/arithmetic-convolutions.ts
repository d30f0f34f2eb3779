// The convolutions of docs/arithmetic.md as plain JavaScript.
import { at, chain, f } from './arithmetic.ts';

/** A pixel of images [B, S, S, C], 0 outside. */
const pixelOf = (x: ArrayLike<number>, S: number, C: number) => (b: number, row: number, column: number, c: number) =>
  row < 0 || row >= S || column < 0 || column >= S ? 0 : at(x, ((b * S + row) * S + column) * C + c);

/** Winograd along one axis, of three pixels: d0 - d1, d1, d2 - d1. */
type Three = readonly [number, number, number];
const pixels3 = (d0: number, d1: number, d2: number): Three => [f(d0 - d1), d1, f(d2 - d1)];
/** As they are in a transposed convolution: d0 - d1, d1, d1 - d2. */
const transposed3 = (d0: number, d1: number, d2: number): Three => [f(d0 - d1), d1, f(d1 - d2)];
/** Of two taps: g0, g0 + g1, g1. */
const taps2 = (g0: number, g1: number): [number, number, number] => [g0, f(g0 + g1), g1];

type Square = readonly (readonly number[])[];
const cell = (square: Square, row: number, column: number): number => square[row]?.[column] ?? 0;

/** Both axes: x first, in every row, then y. */
function pixels33(pixel: (row: number, column: number) => number, along = pixels3): Square {
  const rows = [0, 1, 2].map((r) => along(pixel(r, 0), pixel(r, 1), pixel(r, 2)));
  const columns = [0, 1, 2].map((v) => along(cell(rows, 0, v), cell(rows, 1, v), cell(rows, 2, v)));
  return [0, 1, 2].map((u) => [0, 1, 2].map((v) => cell(columns, v, u)));
}
function taps22(tap: (row: number, column: number) => number): Square {
  const rows = [0, 1].map((r) => taps2(tap(r, 0), tap(r, 1)));
  const columns = [0, 1, 2].map((v) => taps2(cell(rows, 0, v), cell(rows, 1, v)));
  return [0, 1, 2].map((u) => [0, 1, 2].map((v) => cell(columns, v, u)));
}

/** Output r, c of a tile: the products u in {r, r + 1}, v in {c, c + 1}, u first. */
const outputOf = (m: Square, r: number, c: number): number =>
  f(f(f(cell(m, r, c) + cell(m, r, c + 1)) + cell(m, r + 1, c)) + cell(m, r + 1, c + 1));

const grid = (value: (u: number, v: number) => number): Square =>
  [0, 1, 2].map((u) => [0, 1, 2].map((v) => value(u, v)));

interface Sizes {
  readonly S: number;
  readonly I: number;
  readonly N: number;
  readonly B: number;
}

/** x [B, S, S, I], filter [4, 4, I, N] -> [B, S/2, S/2, N]. */
export function convolve(x: ArrayLike<number>, filter: ArrayLike<number>, { S, I, N, B }: Sizes): Float32Array {
  const [O, side, pixel] = [S / 2, S / 4, pixelOf(x, S, I)];
  const y = new Float32Array(B * O * O * N);
  const taps = Array.from({ length: 4 * I }, (_, k) => {
    const [py, px, i] = [Math.floor(k / I) >> 1, Math.floor(k / I) & 1, k % I];
    return Array.from({ length: N }, (_n, n) =>
      taps22((r, c) => at(filter, (((2 * r + py) * 4 + 2 * c + px) * I + i) * N + n)),
    );
  });
  for (let b = 0; b < B; b++)
    for (let ty = 0; ty < side; ty++)
      for (let tx = 0; tx < side; tx++) {
        const tiles = taps.map((_, k) => {
          const [py, px, i] = [Math.floor(k / I) >> 1, Math.floor(k / I) & 1, k % I];
          return pixels33((r, c) => pixel(b, ty * 4 + py - 1 + 2 * r, tx * 4 + px - 1 + 2 * c, i));
        });
        for (let n = 0; n < N; n++) {
          const m = grid((u, v) =>
            chain(
              4 * I,
              (k) => cell(tiles[k] ?? [], u, v),
              (k) => cell(taps[k]?.[n] ?? [], u, v),
            ),
          );
          for (const r of [0, 1])
            for (const c of [0, 1]) y[((b * O + ty * 2 + r) * O + tx * 2 + c) * N + n] = outputOf(m, r, c);
        }
      }
  return y;
}

/** x [B, S/2, S/2, N], filter [4, 4, I, N] -> [B, S, S, I]. */
export function convolveTransposed(
  x: ArrayLike<number>,
  filter: ArrayLike<number>,
  { S, I, N, B }: Sizes,
): Float32Array {
  const [side, pixel] = [S / 4, pixelOf(x, S / 2, N)];
  const y = new Float32Array(B * S * S * I);
  for (let position = 0; position < 4; position++) {
    const [py, px] = [position >> 1, position & 1];
    for (let i = 0; i < I; i++) {
      const taps = Array.from({ length: N }, (_, n) =>
        taps22((r, c) => at(filter, (((3 - py - 2 * r) * 4 + 3 - px - 2 * c) * I + i) * N + n)),
      );
      for (let b = 0; b < B; b++)
        for (let ty = 0; ty < side; ty++)
          for (let tx = 0; tx < side; tx++) {
            const tiles = taps.map((_, n) =>
              pixels33((r, c) => pixel(b, ty * 2 + py + r - 1, tx * 2 + px + c - 1, n), transposed3),
            );
            const m = grid((u, v) =>
              chain(
                N,
                (n) => cell(tiles[n] ?? [], u, v),
                (n) => cell(taps[n] ?? [], u, v) * ((u === 2) === (v === 2) ? 1 : -1),
              ),
            );
            for (const r of [0, 1])
              for (const c of [0, 1])
                y[((b * S + ty * 4 + py + 2 * r) * S + tx * 4 + px + 2 * c) * I + i] = outputOf(m, r, c);
          }
    }
  }
  return y;
}

/** Tiles whose products are added up by themselves. */
const GROUP = 128;

/** x [B, S, S, I], dy [B, S/2, S/2, N] -> [4, 4, I, N]. */
export function convolveFilter(x: ArrayLike<number>, dy: ArrayLike<number>, { S, I, N, B }: Sizes): Float32Array {
  const [O, side, pixel] = [S / 2, S / 4, pixelOf(x, S, I)];
  const count = B * side * side;
  const place = (tile: number): [number, number, number] => {
    const b = Math.floor(tile / (side * side));
    return [b, Math.floor(tile / side) % side, tile % side];
  };
  const filter = new Float32Array(16 * I * N);
  const outputs = Array.from({ length: N }, (_, n) =>
    Array.from({ length: count }, (_t, tile) => {
      const [b, ty, tx] = place(tile);
      return taps22((r, c) => at(dy, ((b * O + ty * 2 + r) * O + tx * 2 + c) * N + n));
    }),
  );
  for (let k = 0; k < 4 * I; k++) {
    const [py, px, i] = [Math.floor(k / I) >> 1, Math.floor(k / I) & 1, k % I];
    const tiles = Array.from({ length: count }, (_, tile) => {
      const [b, ty, tx] = place(tile);
      return pixels33((r, c) => pixel(b, ty * 4 + py - 1 + 2 * r, tx * 4 + px - 1 + 2 * c, i));
    });
    for (let n = 0; n < N; n++) {
      const groups = Array.from({ length: Math.ceil(count / GROUP) }, (_, g) =>
        grid((u, v) =>
          chain(
            Math.min(GROUP, count - g * GROUP),
            (t) => cell(tiles[g * GROUP + t] ?? [], u, v),
            (t) => cell(outputs[n]?.[g * GROUP + t] ?? [], u, v),
          ),
        ),
      );
      for (const r of [0, 1])
        for (const c of [0, 1]) {
          const parts = groups.flatMap((m) => [
            cell(m, r, c),
            cell(m, r, c + 1),
            cell(m, r + 1, c),
            cell(m, r + 1, c + 1),
          ]);
          filter[(((2 * r + py) * 4 + 2 * c + px) * I + i) * N + n] = parts.reduce((sum, part) => f(sum + part));
        }
    }
  }
  return filter;
}

/** Images [B, S, S, C], with their margin, and features [B, O, O, N]. */
export interface ImageSizes {
  readonly S: number;
  readonly C: number;
  readonly N: number;
  readonly B: number;
}
export const marginOf = (S: number): number => (S === 28 ? 3 : 1);
export const featuresOf = (S: number): number => (S + 2 * marginOf(S) - 2) / 2;

/** images [B, S, S, C], filter [4, 4, C, N] -> [B, O, O, N]. */
export function convolveImages(
  images: ArrayLike<number>,
  filter: ArrayLike<number>,
  { S, C, N, B }: ImageSizes,
): Float32Array {
  const [O, margin, pixel] = [featuresOf(S), marginOf(S), pixelOf(images, S, C)];
  return Float32Array.from({ length: B * O * O * N }, (_, place) => {
    const [n, p] = [place % N, Math.floor(place / N)];
    const [ox, oy, b] = [p % O, Math.floor(p / O) % O, Math.floor(p / O / O)];
    return chain(
      16 * C,
      (k) => {
        const tap = Math.floor(k / C);
        return pixel(b, 2 * oy + (tap >> 2) - margin, 2 * ox + (tap & 3) - margin, k % C);
      },
      (k) => at(filter, k * N + n),
    );
  });
}

/** x [B, O, O, N], filter [4, 4, C, N] -> images [B, S, S, C]. */
export function convolveToImages(
  x: ArrayLike<number>,
  filter: ArrayLike<number>,
  { S, C, N, B }: ImageSizes,
): Float32Array {
  const [O, margin] = [featuresOf(S), marginOf(S)];
  return Float32Array.from({ length: B * S * S * C }, (_, place) => {
    const [c, p] = [place % C, Math.floor(place / C)];
    const [column, row, b] = [p % S, Math.floor(p / S) % S, Math.floor(p / S / S)];
    let sum = 0;
    // The features whose patches reach the pixel: of two rows, and of two columns, the even one first.
    const [lastY, lastX] = [(row + margin) >> 1, (column + margin) >> 1];
    const columns = lastX % 2 === 0 ? [lastX, lastX - 1] : [lastX - 1, lastX];
    for (const oy of [lastY - 1, lastY])
      for (const ox of columns) {
        if (oy < 0 || oy >= O || ox < 0 || ox >= O) continue;
        const [ky, kx] = [row + margin - 2 * oy, column + margin - 2 * ox];
        const patch = chain(
          N,
          (n) => at(x, ((b * O + oy) * O + ox) * N + n),
          (n) => at(filter, ((ky * 4 + kx) * C + c) * N + n),
        );
        sum = f(sum + patch);
      }
    return sum;
  });
}

/** images [B, S, S, C], dy [B, O, O, N] -> [4, 4, C, N]. */
export function convolveImagesFilter(
  images: ArrayLike<number>,
  dy: ArrayLike<number>,
  { S, C, N, B }: ImageSizes,
): Float32Array {
  const [O, margin, pixel] = [featuresOf(S), marginOf(S), pixelOf(images, S, C)];
  return Float32Array.from({ length: 16 * C * N }, (_, place) => {
    const [n, k] = [place % N, Math.floor(place / N)];
    const [c, tap] = [k % C, Math.floor(k / C)];
    const parts = Array.from({ length: B }, (_b, b) =>
      chain(
        O * O,
        (p) => pixel(b, 2 * Math.floor(p / O) + (tap >> 2) - margin, 2 * (p % O) + (tap & 3) - margin, c),
        (p) => at(dy, (b * O * O + p) * N + n),
      ),
    );
    return parts.reduce((sum, part) => f(sum + part));
  });
}
