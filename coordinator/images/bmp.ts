// Reads BMP files, which sharp does not: uncompressed, of 1, 4, 8, 16, 24 or 32 bits a pixel, from the core header of OS/2 to Windows' fifth.
// https://learn.microsoft.com/en-us/windows/win32/gdi/bitmap-storage
import type { RawImage } from '../../shared/resize.ts';

const FILE_HEADER = 14;
const RGB = 0;
const BITFIELDS = 3;
const ALPHA_BITFIELDS = 6;

interface Layout {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  /** First byte of the pixels. */
  readonly start: number;
  /** Red, green and blue (and opacity) by a pixel's value, or where in it they are. */
  readonly colourOf: (value: number) => readonly number[];
  readonly channels: 3 | 4;
}

/** Whether bytes begin as a BMP file. */
export function isBmp(bytes: Uint8Array): boolean {
  return bytes[0] === 0x42 && bytes[1] === 0x4d;
}

/** @throws Error that says what is wrong, for bytes that are no BMP file or one of a kind that is not read */
export function decodeBmp(bytes: Uint8Array, mostPixels: number): RawImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { width, height, topDown, bits, start, colourOf, channels } = layoutOf(view, mostPixels);
  const stride = Math.ceil((width * bits) / 32) * 4;
  if (start + stride * height > bytes.length) {
    throw new Error(`expected ${start + stride * height} bytes, got ${bytes.length}`);
  }
  const pixels = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const row = start + stride * (topDown ? y : height - 1 - y);
    for (let x = 0; x < width; x++) pixels.set(colourOf(valueAt(view, row, x, bits)), (y * width + x) * channels);
  }
  return { width, height, channels, pixels };
}

function valueAt(view: DataView, row: number, x: number, bits: number): number {
  if (bits < 8) {
    const place = x * bits;
    return (view.getUint8(row + (place >> 3)) >> (8 - bits - (place & 7))) & ((1 << bits) - 1);
  }
  const at = row + (x * bits) / 8;
  if (bits === 8) return view.getUint8(at);
  if (bits === 16) return view.getUint16(at, true);
  const low = view.getUint16(at, true);
  return bits === 24 ? low + view.getUint8(at + 2) * 2 ** 16 : low + view.getUint16(at + 2, true) * 2 ** 16;
}

function layoutOf(view: DataView, mostPixels: number): Layout {
  if (view.byteLength < FILE_HEADER + 12) throw new Error(`expected a header, got ${view.byteLength} bytes`);
  const size = view.getUint32(FILE_HEADER, true);
  const isCore = size === 12;
  if (!isCore && (size < 40 || view.byteLength < FILE_HEADER + size)) throw new Error(`a header of ${size} bytes`);
  const at = FILE_HEADER;
  const width = isCore ? view.getUint16(at + 4, true) : view.getInt32(at + 4, true);
  const signed = isCore ? view.getUint16(at + 6, true) : view.getInt32(at + 8, true);
  const height = Math.abs(signed);
  const bits = view.getUint16(at + (isCore ? 10 : 14), true);
  const compression = isCore ? RGB : view.getUint32(at + 16, true);
  if (width < 1 || height < 1 || width * height > mostPixels) {
    throw new Error(`${width} x ${height} pixels, expected 1 to ${mostPixels}`);
  }
  const start = view.getUint32(10, true);
  const common = { width, height, topDown: signed < 0, bits, start };
  const isMasked = compression === BITFIELDS || compression === ALPHA_BITFIELDS;
  if (compression !== RGB && !(isMasked && (bits === 16 || bits === 32))) throw new Error('a compressed BMP file');
  if (bits === 1 || bits === 4 || bits === 8) {
    return { ...common, channels: 3, colourOf: paletteOf(view, at + size, isCore ? 3 : 4, bits, start) };
  }
  if (bits === 24) return { ...common, channels: 3, colourOf: (v) => [(v >>> 16) & 255, (v >>> 8) & 255, v & 255] };
  if (bits !== 16 && bits !== 32) throw new Error(`${bits} bits a pixel`);
  const defaults = bits === 16 ? [0x7c00, 0x3e0, 0x1f] : [0xff0000, 0xff00, 0xff];
  // Masks lie in the larger headers, or behind the small one.
  const masks = isMasked ? [0, 4, 8].map((offset) => maskAt(view, at + 40 + offset)) : defaults;
  const hasOpacity = isMasked && (compression === ALPHA_BITFIELDS || size >= 56);
  const opacity = hasOpacity ? maskAt(view, at + 52) : 0;
  const parts = (opacity === 0 ? masks : [...masks, opacity]).map(partOf);
  return { ...common, channels: opacity === 0 ? 3 : 4, colourOf: (value) => parts.map((part) => part(value)) };
}

function maskAt(view: DataView, at: number): number {
  if (at + 4 > view.byteLength) throw new Error('a cut header');
  return view.getUint32(at, true);
}

/** The bits of a mask as a byte. */
function partOf(mask: number): (value: number) => number {
  if (mask === 0) return () => 0;
  const lowest = 31 - Math.clz32(mask & -mask);
  const most = mask >>> lowest;
  return (value) => Math.round((255 * ((value & mask) >>> lowest)) / most);
}

function paletteOf(view: DataView, at: number, entry: number, bits: number, start: number): Layout['colourOf'] {
  const most = Math.min(2 ** bits, Math.floor((Math.min(start, view.byteLength) - at) / entry));
  const colours = Array.from({ length: Math.max(0, most) }, (_, i) => {
    const place = at + i * entry;
    return [view.getUint8(place + 2), view.getUint8(place + 1), view.getUint8(place)];
  });
  return (value) => {
    const colour = colours[value];
    if (colour === undefined) throw new Error(`colour ${value} of a palette of ${colours.length}`);
    return colour;
  };
}
