import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { forgetFailure, recallFailure, rememberFailure } from '../../../workers/native/failed-setup.ts';
import { type LibraryLocation, locateLibrary } from '../../../workers/native/library.ts';
import { scratchFolder } from '../data/scratch.ts';

describe('a failed set-up', () => {
  let folder: string;
  let location: LibraryLocation;
  beforeEach(() => {
    folder = scratchFolder();
    location = locateLibrary({ GANGLION_CACHE: folder });
  });

  /** A folder for the PATH with programs in it. */
  function folderWith(name: string, ...programs: string[]): string {
    const path = join(folder, name);
    mkdirSync(path);
    for (const program of programs) {
      writeFileSync(join(path, program), '');
      chmodSync(join(path, program), 0o755);
    }
    return path;
  }

  it('is remembered with its reason until it is forgotten, for this version only', () => {
    const env = { PATH: folderWith('bin', 'python3', 'g++') };
    expect(recallFailure(location, env)).toBeUndefined();
    rememberFailure(location, 'no network', env);
    expect(recallFailure(location, env)).toBe('no network');
    expect(existsSync(`${location.libraryFolder}.failed.json`)).toBe(true);
    const other = { ...location, libraryFolder: join(folder, 'tensorflow-3') };
    expect(recallFailure(other, env)).toBeUndefined();
    forgetFailure(location);
    expect(recallFailure(location, env)).toBeUndefined();
    forgetFailure(location); // nothing there is no error
  });

  it('does not hold once other programs are there', () => {
    const bin = folderWith('bin', 'python3');
    rememberFailure(location, 'g++ crashed', { PATH: bin });
    expect(recallFailure(location, { PATH: `${folder}${delimiter}${bin}` })).toBe('g++ crashed');
    expect(recallFailure(location, { PATH: folderWith('empty') })).toBeUndefined();
    expect(recallFailure(location, { PATH: [folderWith('more', 'g++'), bin].join(delimiter) })).toBeUndefined();
  });

  it('does not hold once a name stands for another program, nor for one that may not be run', () => {
    const bin = folderWith('bin', 'python3', 'g++-12');
    symlinkSync(join(bin, 'g++-12'), join(bin, 'g++'));
    const env = { PATH: bin };
    rememberFailure(location, 'too old', env);
    chmodSync(join(bin, 'g++-12'), 0o644);
    expect(recallFailure(location, env)).toBeUndefined();
    chmodSync(join(bin, 'g++-12'), 0o755);
    expect(recallFailure(location, env)).toBe('too old');
    const newer = folderWith('newer', 'g++-13');
    symlinkSync(join(newer, 'g++-13'), join(newer, 'g++'));
    expect(recallFailure(location, { PATH: [newer, bin].join(delimiter) })).toBeUndefined();
  });

  it('is not remembered where nothing can be written, nor recalled from a damaged file', () => {
    const nowhere = locateLibrary({ GANGLION_CACHE: join(folder, 'absent') });
    expect(() => rememberFailure(nowhere, 'no network')).not.toThrow();
    expect(recallFailure(nowhere)).toBeUndefined();
    writeFileSync(`${location.libraryFolder}.failed.json`, '{"reason":"no net');
    expect(recallFailure(location)).toBeUndefined();
  });
});
