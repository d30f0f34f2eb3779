// Between bytes 0..255 and floats in [-1, 1]: the data's range, and the generator's.

/** Height and width of an image, in pixels. */
export const IMAGE_SIDE = 28;

/** Pixels (and bytes) of an image. */
export const IMAGE_PIXELS = IMAGE_SIDE * IMAGE_SIDE;

const FLOATS = Float32Array.from({ length: 256 }, (_, byte) => byte / 127.5 - 1);

/** uint8 pixels, in parts that follow each other, as float32 in [-1, 1]. */
export function toFloatPixels(parts: readonly Uint8Array[]): Float32Array {
  const floats = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i++) floats[at++] = FLOATS[part[i] as number] as number;
  }
  return floats;
}

/** Views of single images in `images`, uint8 [count, 784], in the order of their indices. */
export function viewsOf(images: Uint8Array, indices: Uint32Array): Uint8Array[] {
  return Array.from(indices, (index) => images.subarray(index * IMAGE_PIXELS, (index + 1) * IMAGE_PIXELS));
}

/** The byte of a pixel in [-1, 1]: round((x + 1) * 127.5), clamped; not a number gives 0. */
export function toByte(x: number): number {
  return Math.min(255, Math.max(0, Math.round((x + 1) * 127.5)));
}
