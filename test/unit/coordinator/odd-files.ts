// What people have in place of a file: each may neither hang a command nor end it by a stack.
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { onTestFinished } from 'vitest';

/** Puts something else in the place of a file, and takes that away after the test. */
export interface OddKind {
  readonly name: string;
  /** What a message says of it, after the path. */
  readonly said: RegExp;
  readonly make: (path: string) => Promise<void> | void;
}

async function makeSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(path, done));
  onTestFinished(() => void server.close());
}

function makeHuge(path: string): void {
  writeFileSync(path, '');
  truncateSync(path, 3 * 2 ** 30);
}

export const ODD_KINDS: readonly OddKind[] = [
  { name: 'a pipe', said: /: expected a file, got a pipe/, make: (path) => void execFileSync('mkfifo', [path]) },
  { name: 'a device', said: /: expected a file, got a device/, make: (path) => symlinkSync('/dev/zero', path) },
  { name: 'a folder', said: /: expected a file, got a folder/, make: (path) => void mkdirSync(path) },
  { name: 'a socket', said: /: expected a file, got a socket/, make: makeSocket },
  { name: 'a dangling link', said: /: no such file or directory/, make: (path) => symlinkSync('nowhere', path) },
  { name: 'a link to itself', said: /: too many symbolic links encountered/, make: (path) => symlinkSync(path, path) },
  { name: '3 GiB', said: /: expected at most \d+ bytes, got 3221225472/, make: makeHuge },
];
