import { describe, expect, it } from 'vitest';
import { diskError } from '../../../../workers/build/disk.ts';

describe('disk space', () => {
  it('is reported as free against needed, with the folder', () => {
    expect(diskError('/cache', 64e6, 1.2e9).message).toBe(
      'not enough disk space: set-up needs 1200 MB in /cache, 64 MB are free; free some, or set GANGLION_CACHE to a folder on another disk',
    );
  });
});
