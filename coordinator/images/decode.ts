// From the bytes of a picture's file to pixels: PNG by pngjs, BMP by our own reader, JPEG, WebP and GIF by sharp, which is loaded when one of
// them is met. Only what has one picture of 8 bits a channel in grey or colours is taken, so that nothing is lost without a word.
import { createRequire } from 'node:module';
import { PNG } from 'pngjs';
import { GanglionError, messageOf } from '../../shared/error.ts';
import type { RawImage } from '../../shared/resize.ts';
import { decodeBmp, isBmp } from './bmp.ts';

/** What is needed of the package `sharp`, whose own types are not there where it is left out. */
interface Sharp {
  metadata(): Promise<{ space: string; depth: string; pages?: number; hasProfile: boolean }>;
  autoOrient(): Sharp;
  toColourspace(space: 'b-w' | 'srgb'): Sharp;
  raw(): Sharp;
  toBuffer(options: { resolveWithObject: true }): Promise<{
    data: Uint8Array;
    info: { width: number; height: number; channels: number };
  }>;
}

interface SharpModule {
  (bytes: Uint8Array, options: object): Sharp;
  concurrency(threads: number): void;
  cache(keep: boolean): void;
  readonly versions: { readonly sharp: string; readonly vips: string };
}

const PACKAGE = 'sharp';
let loaded: Promise<SharpModule> | undefined;

async function importSharp(): Promise<SharpModule> {
  try {
    const { default: sharp } = (await import(PACKAGE)) as { default: SharpModule };
    sharp.concurrency(1); // threads are ours
    sharp.cache(false);
    return sharp;
  } catch (error) {
    const message = `JPEG, WebP and GIF files need the npm package ${PACKAGE}, which does not load: ${messageOf(error)}`;
    throw new GanglionError('environment', message, { cause: error });
  }
}

function loadSharp(): Promise<SharpModule> {
  loaded ??= importSharp();
  return loaded;
}

const require = createRequire(import.meta.url);

/** What decodes, with versions, as far as it is installed: another version may give other bytes. */
export function describeDecoders(): string {
  const versionOf = (name: string): string => {
    try {
      return `${name} ${(require(`${name}/package.json`) as { version: string }).version}`;
    } catch {
      return '';
    }
  };
  return ['pngjs', PACKAGE].map(versionOf).filter(Boolean).join(', ');
}

const at = (bytes: Uint8Array, start: number, text: string): boolean =>
  Buffer.from(bytes.subarray(start, start + text.length)).toString('latin1') === text;

/** What a picture's file is by its first bytes: those that are taken, and those that have a name to refuse them by. */
const KINDS = {
  PNG: (bytes) => at(bytes, 0, '\x89PNG\r\n\x1a\n'),
  JPEG: (bytes) => at(bytes, 0, '\xff\xd8\xff'),
  GIF: (bytes) => at(bytes, 0, 'GIF8'),
  WebP: (bytes) => at(bytes, 0, 'RIFF') && at(bytes, 8, 'WEBP'),
  BMP: isBmp,
  TIFF: (bytes) => at(bytes, 0, 'II*\0') || at(bytes, 0, 'MM\0*'),
  'AVIF or HEIC': (bytes) => at(bytes, 4, 'ftyp'),
  'JPEG 2000': (bytes) => at(bytes, 4, 'jP  '),
  Photoshop: (bytes) => at(bytes, 0, '8BPS'),
  SVG: (bytes) => at(bytes, 0, '<svg') || at(bytes, 0, '<?xml'),
} as const satisfies Record<string, (bytes: Uint8Array) => boolean>;

export type PictureKind = keyof typeof KINDS;

/** The kind of a picture's file; undefined for what is none. */
export function kindOfPicture(bytes: Uint8Array): PictureKind | undefined {
  return (Object.keys(KINDS) as PictureKind[]).find((kind) => KINDS[kind](bytes));
}

/**
 * Decodes a picture.
 *
 * @param mostPixels more are refused before they are unpacked
 * @returns 1 (grey), 2 (with opacity), 3 or 4 channels
 * @throws Error that says what the picture is in place of what was expected; GanglionError when a decoder is missing
 */
export async function decodePicture(bytes: Uint8Array, mostPixels: number): Promise<RawImage> {
  if (bytes.length === 0) throw new Error('empty');
  const kind = kindOfPicture(bytes);
  switch (kind) {
    case 'PNG':
      return decodePng(bytes, mostPixels);
    case 'BMP':
      return decodeBmp(bytes, mostPixels);
    case 'JPEG':
    case 'GIF':
    case 'WebP':
      return decodeBySharp(bytes, kind, mostPixels);
    case undefined:
      throw new Error('no picture');
    default:
      throw new Error(`${kind}, expected PNG, JPEG, WebP, GIF or BMP`);
  }
}

const COLOURED = 2;
const WITH_OPACITY = 4;

function decodePng(bytes: Uint8Array, mostPixels: number): RawImage {
  if (bytes.length < 33 || !at(bytes, 12, 'IHDR')) throw new Error('cut');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  checkPixels(width, height, mostPixels);
  const [depth, type] = [view.getUint8(24), view.getUint8(25)];
  if (depth === 16) throw new Error('16 bits a channel, expected 8');
  const chunks = chunksOf(view);
  if (chunks.has('acTL')) throw new Error('animated');
  const data = unpackPng(bytes);
  const hasOpacity = (type & WITH_OPACITY) !== 0 || chunks.has('tRNS');
  const channels = ((type & COLOURED) !== 0 ? 3 : 1) + (hasOpacity ? 1 : 0);
  const pixels = new Uint8Array(width * height * channels);
  // pngjs gives red, green, blue and opacity.
  for (let i = 0, from = 0; i < pixels.length; i += channels, from += 4) {
    for (let c = 0; c < channels; c++) pixels[i + c] = data[from + c] as number;
    if (hasOpacity) pixels[i + channels - 1] = data[from + 3] as number;
  }
  return { width, height, channels, pixels };
}

/** Red, green, blue and opacity of every pixel. */
function unpackPng(bytes: Uint8Array): Uint8Array {
  try {
    return PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)).data;
  } catch (error) {
    throw new Error(`damaged: ${messageOf(error)}`, { cause: error });
  }
}

/** Names of the chunks before the pixels. */
function chunksOf(view: DataView): Set<string> {
  const names = new Set<string>();
  for (let start = 8; start + 8 <= view.byteLength; start += 12 + view.getUint32(start)) {
    const name = String.fromCharCode(...[4, 5, 6, 7].map((i) => view.getUint8(start + i)));
    if (name === 'IDAT') break;
    names.add(name);
  }
  return names;
}

function checkPixels(width: number, height: number, mostPixels: number): void {
  if (width * height > mostPixels) throw new Error(`${width} x ${height} pixels, expected at most ${mostPixels}`);
}

async function decodeBySharp(bytes: Uint8Array, kind: PictureKind, mostPixels: number): Promise<RawImage> {
  const sharp = await loadSharp();
  // Profiles and hints are left alone: what they mean to a screen is none of the pixels.
  const image = sharp(bytes, { limitInputPixels: mostPixels, ignoreIcc: true, failOn: 'warning' });
  try {
    const { space, depth, pages = 1 } = await image.metadata();
    if (pages > 1) throw new Error('animated');
    if (space === 'cmyk') throw new Error('CMYK, expected grey or red, green and blue');
    if (depth !== 'uchar') throw new Error('16 bits a channel, expected 8');
    const decoded = image.autoOrient().toColourspace(space === 'b-w' ? 'b-w' : 'srgb');
    const { data, info } = await decoded.raw().toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, channels: info.channels, pixels: data };
  } catch (error) {
    const reason = messageOf(error);
    const isLarge = reason.includes('pixel limit');
    throw new Error(
      isLarge ? `more than ${mostPixels} pixels` : reason.replace(/^Input buffer/, `a ${kind} file that`),
    );
  }
}
