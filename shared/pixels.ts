// Between bytes 0..255 and floats in [-1, 1]: the data's range, and the generator's.

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

/**
 * Views of single images in `images`, in the order of their indices.
 *
 * @param images uint8 [count, size]
 * @param size values of an image
 */
export function viewsOf(images: Uint8Array, indices: Uint32Array, size: number): Uint8Array[] {
  return Array.from(indices, (index) => images.subarray(index * size, (index + 1) * size));
}

/** The byte of a pixel in [-1, 1]: round((x + 1) * 127.5), clamped; not a number gives 0. */
export function toByte(x: number): number {
  return Math.min(255, Math.max(0, Math.round((x + 1) * 127.5)));
}

/** Bytes of pixels in [-1, 1]; a loop, as `Uint8Array.from` took 20 times as long. */
export function toBytePixels(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) bytes[i] = toByte(values[i] as number);
  return bytes;
}

/** Grey of a colour by ITU-R BT.601 in whole numbers, as Pillow has it: equal parts stay what they are. */
export function greyOf(red: number, green: number, blue: number): number {
  return (19_595 * red + 38_470 * green + 7_471 * blue + 0x8000) >>> 16;
}
