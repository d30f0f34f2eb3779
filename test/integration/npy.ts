// Reads what `ganglion sample --output X.npy` writes.
import { readFileSync } from 'node:fs';

/** Values of a .npy file of float32. */
export function readNpy(path: string): Float32Array {
  const bytes = readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  return Float32Array.from({ length: (bytes.length - start) / 4 }, (_, i) => bytes.readFloatLE(start + 4 * i));
}
