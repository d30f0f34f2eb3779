import { closeSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fromSystemError } from '../../../../coordinator/files/atomic-file.ts';
import { JsonLines, readJsonLines, readJsonLinesSync } from '../../../../coordinator/files/json-lines.ts';
import { APPEND, openRegularSync, readRegular, readRegularSync } from '../../../../coordinator/files/regular-file.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';
import { ODD_KINDS } from '../odd-files.ts';

const MOST = 2 ** 20;

/** Every way to read, with what it throws as a command shows it. */
const READERS: readonly (readonly [string, (path: string) => unknown])[] = [
  ['readRegularSync', (path) => readRegularSync(path, MOST)],
  ['readRegular', (path) => readRegular(path, MOST)],
  ['openRegularSync', (path) => openRegularSync(path, MOST)],
  ['openRegularSync to append', (path) => openRegularSync(path, MOST, APPEND)],
];

async function shownError(path: string, action: () => unknown): Promise<string> {
  return errorOf(async () => {
    try {
      return await action();
    } catch (error) {
      throw fromSystemError(`cannot read ${path}`, error, 'checkpoint');
    }
  });
}

describe.each(READERS)('%s', (name, read) => {
  it.each(ODD_KINDS)('refuses $name in one line, at once', async ({ name: kind, said, make }) => {
    const path = join(scratchFolder(), 'file');
    await make(path);
    // To append through a dangling link makes the file that it names.
    if (kind === 'a dangling link' && name.endsWith('append')) return;
    const line = await shownError(path, () => read(path));
    expect(line).toMatch(new RegExp(`^checkpoint: cannot read ${path}${said.source}$`));
  });

  it('refuses a file that is larger by a byte, and takes one that is not', async () => {
    const path = join(scratchFolder(), 'file');
    writeFileSync(path, Buffer.alloc(MOST + 1));
    expect(await shownError(path, () => read(path))).toMatch(/expected at most 1048576 bytes, got 1048577$/);
    writeFileSync(path, Buffer.alloc(MOST));
    await read(path);
  });
});

it('reads what is there, and appends to it', async () => {
  const path = join(scratchFolder(), 'file');
  const descriptor = openRegularSync(path, MOST, APPEND);
  writeSync(descriptor, 'a');
  writeSync(descriptor, 'é');
  closeSync(descriptor);
  expect(readRegularSync(path, MOST).toString()).toBe('aé');
  expect((await readRegular(path, MOST)).toString()).toBe('aé');
});

describe('a log', () => {
  it.each(ODD_KINDS.filter(({ name }) => name !== '3 GiB' && name !== 'a dangling link'))(
    'that is $name is refused',
    async ({ said, make }) => {
      const path = join(scratchFolder(), 'a.jsonl');
      await make(path);
      const end = `${path}${said.source}$`;
      expect(await errorOf(() => JsonLines.open(path))).toMatch(new RegExp(`^environment: cannot write ${end}`));
      expect(await errorOf(() => readJsonLines(path, () => {}))).toMatch(new RegExp(`^checkpoint: cannot read ${end}`));
      expect(await shownError(path, () => readJsonLinesSync(path, () => {}))).toMatch(new RegExp(end));
    },
  );
});

/** Modules that open files by themselves: what they name is no user's. */
const OWN_WAYS: readonly string[] = [
  'files/regular-file.ts', // all others come through here
  'files/atomic-file.ts', // makes new files
  'files/run-lock.ts', // opens at once, whatever is there
  'files/lock-owner.ts', // the kernel's
  'monitoring/tensorboard/record-file.ts', // makes new files
  'machine/closed-terminal.ts', // /dev/null
  'run-folder/environment.ts', // the system's
];

it('is what the coordinator opens files through', () => {
  const coordinator = fileURLToPath(new URL('../../../../coordinator/', import.meta.url));
  // A stream of a file that was opened already is a method of its handle.
  const opens =
    /\b(readFileSync|readFile|openSync|openAsBlob)\b|(?<!\.)\bcreateReadStream\b|import[^;]*\bopen\b[^;]*'node:fs/;
  const found = readdirSync(coordinator, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && opens.test(readFileSync(join(coordinator, name), 'utf8')))
    .filter((name) => !OWN_WAYS.includes(name) && !name.startsWith('machine/')); // there, the kernel's
  expect(found).toEqual([]);
});
