import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ABSENT, faultOf, sealFolder } from '../../../../workers/build/sealed-folder.ts';

/** Larger than what is always hashed. */
const LARGE_BYTES = 2 ** 22 + 1;

let cache: string;
let folder: string;
const at = (name: string): string => join(folder, name);
beforeEach(async () => {
  cache = mkdtempSync(join(tmpdir(), 'ganglion-sealed-'));
  folder = join(cache, 'kernels');
  mkdirSync(join(folder, 'lib'), { recursive: true });
  writeFileSync(at('a.node'), 'program');
  writeFileSync(at('lib/large.so'), Buffer.alloc(LARGE_BYTES, 'x'));
  await sealFolder(folder, { version: 2 });
});
afterEach(() => rmSync(cache, { recursive: true }));

/** Changes a byte of the large file. */
function changeLarge(): void {
  const bytes = readFileSync(at('lib/large.so'));
  bytes[LARGE_BYTES - 1] = 0;
  writeFileSync(at('lib/large.so'), bytes);
}

describe('a sealed folder', () => {
  it('has no fault, nor has a copy of it, whose times are others', () => {
    expect(faultOf(folder, cache, { version: 2 }, 'whole')).toBeUndefined();
    const copy = join(cache, 'copy');
    cpSync(folder, copy, { recursive: true });
    utimesSync(join(copy, 'lib/large.so'), 1, 1);
    expect(faultOf(copy, cache, { version: 2 }, 'whole')).toBeUndefined();
  });

  it('can be sealed again', async () => {
    writeFileSync(at('a.node'), 'another program');
    await sealFolder(folder);
    expect(faultOf(folder, cache)).toBeUndefined();
  });

  it('that is not there says so', () => {
    expect(faultOf(join(cache, 'none'), cache)).toBe(ABSENT);
    expect(faultOf(join(cache, 'none'), join(cache, 'none'))).toBe(ABSENT);
    expect(faultOf(at('a.node/none'), cache)).toBe(ABSENT);
  });

  it.each([
    ['a file cut to nothing', () => truncateSync(at('a.node'), 0), 'a.node was changed: expected 7 bytes, got 0'],
    ['a file cut in half', () => truncateSync(at('lib/large.so'), 1000), `expected ${LARGE_BYTES} bytes, got 1000`],
    ['other bytes', () => writeFileSync(at('a.node'), 'foreign'), 'a.node was changed: it has another SHA-256'],
    ['a missing file', () => rmSync(at('a.node')), 'is not whole'],
    ['a missing manifest, as older versions left it', () => rmSync(at('manifest.json')), 'is not whole'],
    ['a cut manifest', () => truncateSync(at('manifest.json'), 20), 'manifest.json is no manifest'],
    ['an empty manifest', () => truncateSync(at('manifest.json'), 0), 'manifest.json is no manifest'],
    ['a manifest that is no object', () => writeFileSync(at('manifest.json'), 'null'), 'manifest.json is no manifest'],
    ['a huge manifest', () => truncateSync(at('manifest.json'), 2 ** 31), 'manifest.json is no manifest'],
    ['no files', () => writeFileSync(at('manifest.json'), '{"files":[]}'), 'manifest.json has no hashes'],
    ['malformed files', () => writeFileSync(at('manifest.json'), '{"files":[{"path":1}]}'), 'has no hashes'],
  ])('with %s has a fault', (_, change, fault) => {
    change();
    expect(faultOf(folder, cache)).toContain(fault);
  });

  it('with a pipe, a folder or a link in place of a file has a fault, and does not hang', () => {
    for (const replace of [
      (path: string) => execFileSync('mkfifo', ['-m', '600', path]),
      (path: string) => mkdirSync(path),
      (path: string) => symlinkSync(at('lib/large.so'), path),
    ]) {
      rmSync(at('a.node'), { recursive: true });
      replace(at('a.node'));
      expect(faultOf(folder, cache)).toBe('a.node is no file');
    }
  });

  it('of another version has a fault', () => {
    expect(faultOf(folder, cache, { version: 3 })).toBe('cannot be read: manifest.json is of another version');
  });

  it('with a large file changed in place has one where it is looked at whole', () => {
    changeLarge();
    utimesSync(at('lib/large.so'), 1, 1);
    expect(faultOf(folder, cache, {}, 'quick')).toBeUndefined();
    expect(faultOf(folder, cache, {}, 'whole')).toBe('lib/large.so was changed: it has another SHA-256');
  });

  it('may not be written by the group, whatever the umask', async () => {
    chmodSync(folder, 0o775);
    chmodSync(at('a.node'), 0o775);
    await sealFolder(folder);
    for (const path of [folder, at('a.node'), at('lib'), at('manifest.json')])
      expect(statSync(path).mode & 0o022).toBe(0);
  });

  it.each([
    ['folder', () => chmodSync(folder, 0o777)],
    ['folder, by its group', () => chmodSync(folder, 0o775)],
    ['manifest', () => chmodSync(at('manifest.json'), 0o666)],
    ['file', () => chmodSync(at('a.node'), 0o666)],
    ['folder of a file', () => chmodSync(at('lib'), 0o1777)],
  ])('is refused when others may write its %s', (_, change) => {
    change();
    expect(() => faultOf(folder, cache)).toThrow(
      /may be written by others \(mode 1?[67]\d\d\), and programs are loaded/,
    );
  });
});
