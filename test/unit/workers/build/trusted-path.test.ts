import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkTrusted } from '../../../../workers/build/trusted-path.ts';

let root: string;
let cache: string;
let library: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ganglion-trusted-'));
  cache = join(root, 'home', 'cache');
  library = join(cache, 'library');
  mkdirSync(library, { recursive: true });
  for (const path of [join(root, 'home'), cache, library]) chmodSync(path, 0o755);
});
afterEach(() => rmSync(root, { recursive: true }));

const check = (user?: number) => () => checkTrusted([library], cache, user);

describe('a path', () => {
  it('of this user that nobody else may write is trusted, also below a sticky folder', () => {
    expect(check()).not.toThrow();
    chmodSync(join(root, 'home'), 0o1777);
    expect(check()).not.toThrow();
  });

  it.each([0o777, 0o775, 0o757, 0o1777])('is refused when the cache has mode %o', (mode) => {
    chmodSync(cache, mode);
    expect(check()).toThrow(
      `${cache} may be written by others (mode ${mode.toString(8)}), and programs are loaded from there: run chmod go-w, or set GANGLION_CACHE to a folder of your own`,
    );
  });

  it.each([0o777, 0o775])('is refused when a folder above the cache has mode %o', (mode) => {
    chmodSync(join(root, 'home'), mode);
    expect(check()).toThrow(`${join(root, 'home')} may be written by others`);
  });
});

describe.runIf(process.geteuid?.() === 0)('owners', () => {
  /** Of everything below the temporary folder. */
  function own(uid: number, gid = uid): void {
    for (const path of [root, join(root, 'home'), cache, library]) chownSync(path, uid, gid);
  }

  it('may be the user or root, as in an image', () => {
    expect(check(12345)).not.toThrow();
    own(12345);
    expect(check(12345)).not.toThrow();
  });

  it('may not be another user, also not for root', () => {
    own(12345);
    expect(check(0)).toThrow(`${library} belongs to user 12345, expected user 0 or root`);
    expect(check(54321)).toThrow(/belongs to user 12345/);
  });

  it('may have a private group that writes above the cache, where every user has one', () => {
    own(12345);
    chmodSync(join(root, 'home'), 0o775);
    expect(check(12345)).not.toThrow();
    own(12345, 100);
    expect(check(12345)).toThrow(/home may be written by others/);
  });
});
