// Between bytes 0..255 and floats in [-1, 1]: the data's range, and the generator's.

const FLOATS = Float32Array.from({ length: 256 }, (_, byte) => byte / 127.5 - 1);

/** uint8 pixels as float32 in [-1, 1], any shape. */
export function toFloatPixels(bytes: Uint8Array): Float32Array {
  const floats = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) floats[i] = FLOATS[bytes[i] as number] as number;
  return floats;
}

/** The byte of a pixel in [-1, 1]: round((x + 1) * 127.5), clamped; not a number gives 0. */
export function toByte(x: number): number {
  return Math.min(255, Math.max(0, Math.round((x + 1) * 127.5)));
}
