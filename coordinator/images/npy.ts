// Generated images as a NumPy array file, for tools that measure or plot them: float32, [N, height, width] or [N, height, width, channels], format version 1.0.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
import { GanglionError } from '../../shared/error.ts';
import type { ImageShape } from '../../shared/model/spec.ts';
import { writeFileAtomicSync } from '../files/atomic-file.ts';

/** The header is padded so that the values start at a multiple of this. */
const ALIGNMENT = 64;

/**
 * `images`, [count, ...shape], as the bytes of a .npy file: little-endian float32, values unchanged. A single channel is no axis.
 * @throws GanglionError `shape` where `images` does not hold `count` images.
 */
export function encodeNpy(images: Float32Array, count: number, shape: ImageShape): Uint8Array {
  const [height, width, channels] = shape;
  const size = height * width * channels;
  const sides = channels === 1 ? [count, height, width] : [count, height, width, channels];
  if (!Number.isInteger(count) || images.length !== count * size) {
    throw new GanglionError('shape', `npy: expected ${count} x ${size} values, got ${images.length}`);
  }
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sides.join(', ')}), }`;
  // Magic, version and length take 10 bytes, the line feed 1.
  const start = Math.ceil((10 + description.length + 1) / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(start + 4 * images.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  view.setUint16(8, start - 10, true);
  bytes.set(Buffer.from(`${description.padEnd(start - 11)}\n`, 'latin1'), 10);
  images.forEach((value, i) => {
    view.setFloat32(start + 4 * i, value, true);
  });
  return bytes;
}

/**
 * Writes {@link encodeNpy} of `images` to `path`, atomically.
 * @throws GanglionError `environment` where it cannot be written, `shape` as encodeNpy.
 */
export function writeNpySync(path: string, images: Float32Array, count: number, shape: ImageShape): void {
  writeFileAtomicSync(path, encodeNpy(images, count, shape));
}
