// coordinator/files/atomic-file.ts. node:fs is the real one; a test replaces single calls to see their order or to make them fail.
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { writeFileAtomicSync } from '../../../../coordinator/files/atomic-file.ts';
import { canMount, errorOf, scratchFolder, smallFileSystem } from '../../scratch.ts';

vi.mock('node:fs', async (importOriginal) => {
  const real = await importOriginal<typeof fs>();
  return { ...real, fsyncSync: vi.fn(real.fsyncSync), renameSync: vi.fn(real.renameSync) };
});
const real = await vi.importActual<typeof fs>('node:fs');
const isRoot = process.getuid?.() === 0;

afterEach(() => {
  vi.mocked(fs.fsyncSync).mockReset().mockImplementation(real.fsyncSync);
  vi.mocked(fs.renameSync).mockReset().mockImplementation(real.renameSync);
});

const bytesOf = (length: number, first = 1): Uint8Array => Uint8Array.from({ length }, (_, i) => (first + i * 7) % 256);

function systemError(errno: number, code: string): Error {
  return Object.assign(new Error(`${code}: as thrown by Node, fsync`), { errno, code, syscall: 'fsync' });
}

/** Runs `action` as a user without rights. */
function asNobody<T>(action: () => T): T {
  process.seteuid?.(65_534);
  try {
    return action();
  } finally {
    process.seteuid?.(0);
  }
}

describe('writeFileAtomicSync', () => {
  it('writes exactly the bytes and leaves nothing else', () => {
    const folder = scratchFolder();
    writeFileAtomicSync(join(folder, 'a.bin'), bytesOf(1000));
    expect(fs.readdirSync(folder)).toEqual(['a.bin']);
    expect(new Uint8Array(fs.readFileSync(join(folder, 'a.bin')))).toEqual(bytesOf(1000));
  });

  it('replaces longer content, and writes only the view of a larger or shared buffer', () => {
    const path = join(scratchFolder(), 'a.bin');
    writeFileAtomicSync(path, bytesOf(1000));
    const shared = new Uint8Array(new SharedArrayBuffer(20));
    shared.set(bytesOf(20));
    writeFileAtomicSync(path, shared.subarray(5, 9));
    expect([...fs.readFileSync(path)]).toEqual([36, 43, 50, 57]);
  });

  it('syncs the whole temporary file before the rename, and the folder after it', () => {
    const folder = scratchFolder();
    const path = join(folder, 'a.bin');
    const events: string[] = [];
    vi.mocked(fs.fsyncSync).mockImplementation((descriptor) => {
      real.fsyncSync(descriptor);
      const stat = real.fstatSync(descriptor);
      events.push(
        stat.isDirectory() ? `sync folder, inode right: ${stat.ino === real.statSync(folder).ino}` : 'sync file',
      );
      if (stat.isFile()) events.push(`${stat.size} bytes, final name there: ${real.existsSync(path)}`);
    });
    vi.mocked(fs.renameSync).mockImplementation((from, to) => {
      events.push('rename');
      real.renameSync(from, to);
    });
    writeFileAtomicSync(path, bytesOf(300));
    expect(events).toEqual([
      'sync file',
      '300 bytes, final name there: false',
      'rename',
      'sync folder, inode right: true',
    ]);
  });

  it('follows a symbolic link', () => {
    const folder = scratchFolder();
    fs.writeFileSync(join(folder, 'real.bin'), 'old');
    fs.symlinkSync('real.bin', join(folder, 'link.bin'));
    writeFileAtomicSync(join(folder, 'link.bin'), bytesOf(3));
    expect(fs.lstatSync(join(folder, 'link.bin')).isSymbolicLink()).toBe(true);
    expect([...fs.readFileSync(join(folder, 'real.bin'))]).toEqual([1, 8, 15]);
  });

  it.skipIf(!canMount)('keeps the old content when the disk fills in the middle of a write', async () => {
    const folder = smallFileSystem(64);
    const path = join(folder, 'a.bin');
    writeFileAtomicSync(path, bytesOf(5000));
    expect(await errorOf(() => writeFileAtomicSync(path, bytesOf(100_000, 9)))).toBe(
      `environment: cannot write ${path}: no space left on device`,
    );
    expect(fs.readdirSync(folder)).toEqual(['a.bin']);
    expect(new Uint8Array(fs.readFileSync(path))).toEqual(bytesOf(5000));
  });

  it.skipIf(!canMount)('says that a file system is read-only', async () => {
    const folder = smallFileSystem(64);
    execFileSync('mount', ['-o', 'remount,ro', folder]);
    const path = join(folder, 'a.bin');
    expect(await errorOf(() => writeFileAtomicSync(path, bytesOf(5)))).toBe(
      `environment: cannot write ${path}: read-only file system`,
    );
  });

  it.skipIf(!isRoot)('says that permission is denied', async () => {
    const folder = scratchFolder();
    fs.chmodSync(folder, 0o755);
    const path = join(folder, 'a.bin');
    expect(await errorOf(() => asNobody(() => writeFileAtomicSync(path, bytesOf(5))))).toBe(
      `environment: cannot write ${path}: permission denied`,
    );
  });

  it.skipIf(!isRoot)('writes into a folder that it may not read', () => {
    const folder = scratchFolder();
    fs.chmodSync(folder, 0o333);
    asNobody(() => writeFileAtomicSync(join(folder, 'a.bin'), bytesOf(2)));
    expect([...fs.readFileSync(join(folder, 'a.bin'))]).toEqual([1, 8]);
  });

  it('names what is wrong with a path', async () => {
    const folder = scratchFolder();
    fs.writeFileSync(join(folder, 'file'), 'x');
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    const reason = async (name: string): Promise<string> => {
      const path = join(folder, name);
      return (await errorOf(() => writeFileAtomicSync(path, bytesOf(5)))).replace(path, 'PATH');
    };
    expect(await reason('missing/a.bin')).toBe('environment: cannot write PATH: no such file or directory');
    expect(await reason('file/a.bin')).toBe('environment: cannot write PATH: not a directory');
    expect(await reason('x'.repeat(300))).toBe('environment: cannot write PATH: name too long');
    expect(await reason('.')).toBe('environment: cannot write PATH: expected a file or nothing there, got a folder');
    expect(await reason('pipe')).toBe('environment: cannot write PATH: expected a file or nothing there, got a pipe');
    expect(fs.readdirSync(folder)).toEqual(['file', 'pipe']);
  });

  it('leaves no temporary file when the rename or the sync fails', async () => {
    const folder = scratchFolder();
    const path = join(folder, 'a.bin');
    vi.mocked(fs.renameSync).mockImplementationOnce(() => {
      throw systemError(-5, 'EIO');
    });
    expect(await errorOf(() => writeFileAtomicSync(path, bytesOf(5)))).toBe(
      `environment: cannot write ${path}: i/o error`,
    );
    vi.mocked(fs.fsyncSync).mockImplementationOnce(() => {
      throw systemError(-122, 'Unknown system error -122');
    });
    expect(await errorOf(() => writeFileAtomicSync(path, bytesOf(5)))).toBe(
      `environment: cannot write ${path}: disk quota exceeded`,
    );
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  it('reports a folder that fails to sync, but not a file system that cannot sync folders', async () => {
    const path = join(scratchFolder(), 'a.bin');
    const failFolders = (error: Error): void => {
      vi.mocked(fs.fsyncSync).mockImplementation((descriptor) => {
        if (real.fstatSync(descriptor).isDirectory()) throw error;
      });
    };
    failFolders(systemError(-22, 'EINVAL'));
    writeFileAtomicSync(path, bytesOf(2));
    expect([...fs.readFileSync(path)]).toEqual([1, 8]);
    failFolders(systemError(-5, 'EIO'));
    expect(await errorOf(() => writeFileAtomicSync(path, bytesOf(5)))).toBe(
      `environment: cannot write ${path}: i/o error`,
    );
  });

  it('closes every descriptor, also on failure', async () => {
    const folder = scratchFolder();
    const open = (): number => fs.readdirSync('/proc/self/fd').length;
    const before = open();
    for (let i = 0; i < 20; i++) writeFileAtomicSync(join(folder, 'a.bin'), bytesOf(10));
    vi.mocked(fs.fsyncSync).mockImplementation(() => {
      throw systemError(-5, 'EIO');
    });
    for (let i = 0; i < 20; i++) await errorOf(() => writeFileAtomicSync(join(folder, 'a.bin'), bytesOf(10)));
    expect(open()).toBe(before);
  });
});
