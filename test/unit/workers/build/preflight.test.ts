import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkPlatform,
  checkPrograms,
  diskError,
  neededBytes,
  prepareCacheFolder,
} from '../../../../workers/build/preflight.ts';

describe('checkPlatform', () => {
  const good = { platform: 'linux', arch: 'x64', glibc: '2.27' };

  it('accepts linux x64 with glibc 2.27 or newer', () => {
    expect(() => checkPlatform(good)).not.toThrow();
    expect(() => checkPlatform({ ...good, glibc: '3.0' })).not.toThrow();
  });

  it.each([
    [{ ...good, platform: 'darwin', arch: 'arm64' }, 'needs linux x64, this is darwin arm64'],
    [{ ...good, arch: 'arm64' }, 'needs linux x64, this is linux arm64'],
    [{ ...good, glibc: '2.17' }, 'needs glibc 2.27 or newer, this system has 2.17'],
    [{ ...good, glibc: undefined }, 'this system has another C library'],
  ])('refuses %o', (platform, message) => {
    expect(() => checkPlatform(platform)).toThrow(message);
  });
});

describe('checkPrograms', () => {
  const all = { python: 'Python 3.11.7', pip: 'pip 23.2.1', gxx: 'g++ 12.2.0' };

  it('names the missing program and how to get it', () => {
    expect(() => checkPrograms(all)).not.toThrow();
    expect(() => checkPrograms({ ...all, python: undefined, pip: undefined })).toThrow(
      /^python3 is missing.*npm run setup$/,
    );
    expect(() => checkPrograms({ ...all, pip: undefined })).toThrow(/^pip is missing.*python3-pip.*npm run setup$/);
    expect(() => checkPrograms({ ...all, gxx: undefined })).toThrow(
      /^g\+\+ is missing.*apt install g\+\+.*npm run setup$/,
    );
  });
});

describe('disk space', () => {
  it('is needed for wheel and library, less for a wheel that is kept', () => {
    expect(neededBytes(false)).toBeGreaterThan(1.2e9);
    expect(neededBytes(false) - neededBytes(true)).toBe(273_829_956);
  });

  it('is reported as free against needed, with the folder', () => {
    expect(diskError('/cache', 64e6, 1.2e9).message).toBe(
      'not enough disk space: set-up needs 1200 MB in /cache, 64 MB are free; free some, or set GANGLION_CACHE to a folder on another disk',
    );
  });
});

describe('prepareCacheFolder', () => {
  it('says in one line that the folder cannot be made', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ganglion-preflight-'));
    try {
      writeFileSync(join(folder, 'file'), '');
      await expect(prepareCacheFolder(join(folder, 'file', 'cache'))).rejects.toThrow(
        /^cannot write to the cache folder .*\/file\/cache \(ENOTDIR\); set GANGLION_CACHE/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
