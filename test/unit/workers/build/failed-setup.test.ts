import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { forgetFailure, recallFailure, rememberFailure } from '../../../../workers/build/failed-setup.ts';
import { scratchFolder } from '../../scratch.ts';

describe('a failed set-up', () => {
  let folder: string;
  let library: string;
  beforeEach(() => {
    folder = scratchFolder();
    library = join(folder, 'tensorflow-2');
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
    expect(recallFailure(library, env)).toBeUndefined();
    rememberFailure(library, 'no network', env);
    expect(recallFailure(library, env)).toBe('no network');
    expect(existsSync(`${library}.failed.json`)).toBe(true);
    const other = join(folder, 'tensorflow-3');
    expect(recallFailure(other, env)).toBeUndefined();
    forgetFailure(library);
    expect(recallFailure(library, env)).toBeUndefined();
    forgetFailure(library); // nothing there is no error
  });

  it('does not hold once other programs are there', () => {
    const bin = folderWith('bin', 'python3');
    rememberFailure(library, 'g++ crashed', { PATH: bin });
    expect(recallFailure(library, { PATH: `${folder}${delimiter}${bin}` })).toBe('g++ crashed');
    expect(recallFailure(library, { PATH: folderWith('empty') })).toBeUndefined();
    expect(recallFailure(library, { PATH: [folderWith('more', 'g++'), bin].join(delimiter) })).toBeUndefined();
  });

  it('does not hold once a name stands for another program, nor for one that may not be run', () => {
    const bin = folderWith('bin', 'python3', 'g++-12');
    symlinkSync(join(bin, 'g++-12'), join(bin, 'g++'));
    const env = { PATH: bin };
    rememberFailure(library, 'too old', env);
    chmodSync(join(bin, 'g++-12'), 0o644);
    expect(recallFailure(library, env)).toBeUndefined();
    chmodSync(join(bin, 'g++-12'), 0o755);
    expect(recallFailure(library, env)).toBe('too old');
    const newer = folderWith('newer', 'g++-13');
    symlinkSync(join(newer, 'g++-13'), join(newer, 'g++'));
    expect(recallFailure(library, { PATH: [newer, bin].join(delimiter) })).toBeUndefined();
  });

  it('is not remembered where nothing can be written, nor recalled from a damaged file', () => {
    const nowhere = join(folder, 'absent', 'tensorflow-2');
    expect(() => rememberFailure(nowhere, 'no network')).not.toThrow();
    expect(recallFailure(nowhere)).toBeUndefined();
    writeFileSync(`${library}.failed.json`, '{"reason":"no net');
    expect(recallFailure(library)).toBeUndefined();
  });

  it('is remembered in place of a pipe, which does not hang', () => {
    execFileSync('mkfifo', [`${library}.failed.json`]);
    expect(recallFailure(library)).toBeUndefined();
    rememberFailure(library, 'no network');
    expect(recallFailure(library)).toBe('no network');
  });
});
