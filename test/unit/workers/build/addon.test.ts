import { chmodSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { addonFile, findAddon } from '../../../../workers/build/addon.ts';
import { ABSENT, sealFolder } from '../../../../workers/build/sealed-folder.ts';

const LIBC = process.platform === 'linux' ? 'glibc' : '';
let root: string;
let brought: string;
const places = () => ({
  name: 'some',
  key: 'abc',
  cacheFolder: join(root, 'cache'),
  builtFolder: join(root, 'cache', 'some'),
});
const find = () => findAddon(places(), join(root, 'prebuilds'));
const built = () => ({ folder: places().builtFolder, path: join(places().builtFolder, 'some.node') });
const prebuilt = () => ({ folder: brought, path: join(brought, addonFile('some', LIBC)) });

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ganglion-addon-'));
  brought = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
});
afterEach(() => rmSync(root, { recursive: true }));

async function bring(about: Record<string, string> = { some: 'abc' }, libc = LIBC): Promise<void> {
  mkdirSync(brought, { recursive: true });
  writeFileSync(join(brought, addonFile('some', libc as 'glibc')), 'from the package');
  await sealFolder(brought, about);
}

async function build(): Promise<void> {
  mkdirSync(places().builtFolder, { recursive: true });
  writeFileSync(built().path, 'from here');
  await sealFolder(places().builtFolder);
}

it('is named as node-gyp-build names it', () => {
  expect([addonFile('some'), addonFile('some', 'musl')]).toEqual(['some.node', 'some.musl.node']);
});

it('is nowhere: it is to be built in the cache', () => {
  expect(find()).toEqual({ ...built(), fault: ABSENT });
});

it('is the one of the package, where none was compiled here', async () => {
  await bring();
  expect(find()).toEqual({ ...prebuilt(), fault: undefined });
});

it('is the one that was compiled here, as that of the package did not load', async () => {
  await bring();
  await build();
  expect(find()).toEqual({ ...built(), fault: undefined });
});

it.each([
  ['changed', () => truncateSync(prebuilt().path, 3), 'some.*node was changed: expected 16 bytes, got 3'],
  ['without its manifest', () => rmSync(join(brought, 'manifest.json')), 'is not whole'],
])('is not one of the package that is %s, and why is said', async (_, change, fault) => {
  await bring();
  change();
  expect(find()).toEqual({ ...prebuilt(), fault: expect.stringMatching(fault) });
  await build();
  expect(find()).toEqual({ ...built(), fault: undefined });
});

it('is not one of other sources, nor of another C library', async () => {
  await bring({ some: 'other' });
  expect(find().fault).toBe('cannot be read: manifest.json is of another some');
  rmSync(brought, { recursive: true });
  await bring({ some: 'abc' }, 'musl');
  expect(find()).toEqual({ ...built(), fault: ABSENT });
});

it('is the one of the package where that of the cache is damaged, or others may change it', async () => {
  await build();
  truncateSync(built().path, 3);
  expect(find().fault).toBe('some.node was changed: expected 9 bytes, got 3');
  await bring();
  expect(find()).toEqual({ ...prebuilt(), fault: undefined });
  await build();
  chmodSync(places().builtFolder, 0o777);
  expect(find()).toEqual({ ...prebuilt(), fault: undefined });
  truncateSync(prebuilt().path, 3);
  expect(find).toThrow(/may be written by others/);
});
