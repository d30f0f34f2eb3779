import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  isReady,
  type LibraryLocation,
  locateLibrary,
  toManifest,
} from '../../../../../workers/engines/tensorflow/library.ts';

describe('locateLibrary', () => {
  it('keys the folder by TensorFlow version, variant, platform, add-on version and layout', () => {
    const { libraryFolder, addonPath } = locateLibrary({ GANGLION_CACHE: '/a' });
    expect(libraryFolder).toBe('/a/tensorflow-2.21.0-cpu-linux-x64-tfjs-4.22.0-layout-2');
    expect(addonPath).toBe(join(libraryFolder, 'tfjs_binding.node'));
  });
});

describe('isReady', () => {
  let location: LibraryLocation;
  const manifest = toManifest('0'.repeat(64), '2.21.0', [{ path: 'lib/a.so', bytes: 3 }]);

  beforeEach(() => {
    location = locateLibrary({ GANGLION_CACHE: mkdtempSync(join(tmpdir(), 'ganglion-library-')) });
    mkdirSync(join(location.libraryFolder, 'lib'), { recursive: true });
    writeFileSync(join(location.libraryFolder, 'lib/a.so'), 'abc');
    writeFileSync(location.manifestPath, JSON.stringify(manifest));
  });
  afterEach(() => rmSync(location.cacheFolder, { recursive: true }));

  it('is true when every file of the manifest has its size', () => {
    expect(isReady(location)).toBe(true);
  });

  it('is false without a manifest', () => {
    rmSync(location.manifestPath);
    expect(isReady(location)).toBe(false);
  });

  it('is false when a file is missing or cut short', () => {
    writeFileSync(join(location.libraryFolder, 'lib/a.so'), 'ab');
    expect(isReady(location)).toBe(false);
    rmSync(join(location.libraryFolder, 'lib/a.so'));
    expect(isReady(location)).toBe(false);
  });

  it.each([
    ['text that is no JSON', '{"layout":'],
    ['null', 'null'],
    ['another version', JSON.stringify({ ...manifest, tensorflow: '2.20.0' })],
    ['another layout', JSON.stringify({ ...manifest, layout: 0 })],
    ['no files', JSON.stringify({ ...manifest, files: [] })],
    ['malformed files', JSON.stringify({ ...manifest, files: [{ path: 1 }] })],
  ])('is false for a manifest of %s', (_name, text) => {
    writeFileSync(location.manifestPath, text);
    expect(isReady(location)).toBe(false);
  });
});
