import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toCacheFolder } from '../../../../shared/cache-folder.ts';
import { prepareCacheFolder } from '../../../../workers/build/cache-folder.ts';

describe('toCacheFolder', () => {
  it('prefers GANGLION_CACHE, then XDG_CACHE_HOME, then the home folder', () => {
    expect(toCacheFolder({ GANGLION_CACHE: '/a', XDG_CACHE_HOME: '/b', HOME: '/c' })).toBe('/a');
    expect(toCacheFolder({ XDG_CACHE_HOME: '/b', HOME: '/c' })).toBe('/b/ganglion');
    expect(toCacheFolder({ HOME: '/c' })).toBe('/c/.cache/ganglion');
  });

  it('takes empty variables as unset, and a relative XDG_CACHE_HOME as invalid', () => {
    expect(toCacheFolder({ GANGLION_CACHE: '', XDG_CACHE_HOME: '', HOME: '/c' })).toBe('/c/.cache/ganglion');
    expect(toCacheFolder({ XDG_CACHE_HOME: 'b', HOME: '/c' })).toBe('/c/.cache/ganglion');
  });

  it('makes a relative GANGLION_CACHE absolute', () => {
    expect(toCacheFolder({ GANGLION_CACHE: 'cache' })).toBe(resolve('cache'));
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
