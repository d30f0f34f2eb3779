import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sealFolder } from '../../../../../workers/build/sealed-folder.ts';
import {
  aboutLibrary,
  faultOfLibrary,
  type LibraryLocation,
  locateLibrary,
  setupCommand,
} from '../../../../../workers/engines/tensorflow/library.ts';

describe('locateLibrary', () => {
  it('keys the folder by TensorFlow version, variant, platform, add-on version and layout', () => {
    const { libraryFolder, addonPath } = locateLibrary({ GANGLION_CACHE: '/a' });
    expect(libraryFolder).toBe('/a/tensorflow-2.21.0-cpu-linux-x64-tfjs-4.22.0-layout-3');
    expect(addonPath).toBe(join(libraryFolder, 'tfjs_binding.node'));
  });

  it('takes the library for GPUs where it was set up, though it may be damaged', () => {
    const env = { GANGLION_CACHE: mkdtempSync(join(tmpdir(), 'ganglion-library-')) };
    const gpu = locateLibrary(env, 'gpu');
    expect(locateLibrary(env).variant).toBe('cpu');
    mkdirSync(gpu.libraryFolder);
    expect(locateLibrary(env)).toEqual(gpu);
    expect(setupCommand(gpu)).toBe('npm run setup -- --tensorflow gpu');
    expect(locateLibrary(env, 'cpu').libraryFolder).toContain('-cpu-');
    rmSync(env.GANGLION_CACHE, { recursive: true });
  });
});

describe('faultOfLibrary', () => {
  let location: LibraryLocation;
  const library = () => join(location.libraryFolder, 'lib/a.so');
  const manifest = () => join(location.libraryFolder, 'manifest.json');

  beforeEach(async () => {
    location = locateLibrary({ GANGLION_CACHE: mkdtempSync(join(tmpdir(), 'ganglion-library-')) });
    mkdirSync(join(location.libraryFolder, 'lib'), { recursive: true });
    writeFileSync(library(), 'abc');
    await sealFolder(location.libraryFolder, aboutLibrary(location));
  });
  afterEach(() => rmSync(location.cacheFolder, { recursive: true }));

  it('is none when every file of the manifest is as it was', () => {
    expect(faultOfLibrary(location, 'whole')).toBeUndefined();
  });

  it('says that a file is missing or cut short', () => {
    writeFileSync(library(), 'ab');
    expect(faultOfLibrary(location)).toBe('lib/a.so was changed: expected 3 bytes, got 2');
    rmSync(library());
    expect(faultOfLibrary(location)).toBe('is not whole');
  });

  it.each([
    ['another version', { tensorflow: '2.20.0' }, 'is of another tensorflow'],
    ['another layout', { layout: 0 }, 'is of another layout'],
    // as versions before 0.2 wrote it
    ['files without hashes', { files: [{ path: 'lib/a.so', bytes: 3 }] }, 'has no hashes'],
  ])('refuses a manifest of %s', (_, change, reason) => {
    writeFileSync(manifest(), JSON.stringify({ ...JSON.parse(readFileSync(manifest(), 'utf8')), ...change }));
    expect(faultOfLibrary(location)).toBe(`cannot be read: manifest.json ${reason}`);
  });
});
