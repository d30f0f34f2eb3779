// Small data sets as other programs leave them, for the tests of data.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadData } from '../../../../coordinator/data/load-data.ts';
import { defaultSettings } from '../../../../coordinator/settings/settings.ts';
import type { Settings } from '../../../../coordinator/settings/settings-table.ts';

/** An idx file. @param type 8 is unsigned bytes */
export function idx(shape: readonly number[], values: Uint8Array, type = 8): Buffer {
  const sizes = shape.flatMap((size) => [size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255]);
  return Buffer.concat([Buffer.of(0, 0, type, shape.length, ...sizes), values]);
}

/** Images of 28 x 28 in which no two are the same. */
export function someImages(count: number): Uint8Array {
  return Uint8Array.from({ length: count * 784 }, (_, i) => ((i % 784) * 7 + Math.floor(i / 784) * 13) % 256);
}

/** Writes files below a folder, by path. */
export function writeFiles(folder: string, files: Readonly<Record<string, Uint8Array | string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

/** Loads what a path names, in the shape that it needs. */
export function load(data: string | null, settings: Partial<Settings> = {}) {
  return loadData({ settings: { ...defaultSettings(), ...settings, data } });
}
