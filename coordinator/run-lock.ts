// One process at a time on a run folder. The lock is a socket in Linux's abstract namespace (unix(7)), named after the folder:
// the kernel takes it away with its process, however that ends. So it is never stale, and nothing of it lies in the folder.
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GanglionError, systemErrorCode } from '../shared/error.ts';
import { fromSystemError } from './atomic-file.ts';

/** How long the process that holds a lock may take to say who it is. */
const ANSWER_MS = 2_000;
/** A process killed a moment ago may take this long to be gone: so often, so many milliseconds. */
const RETRIES = 20;
const RETRY_MS = 50;

/**
 * Takes the lock of a run folder, which need not exist yet.
 *
 * @returns releases it
 * @throws GanglionError `environment` that names the process that holds it
 */
export async function lockRunFolder(path: string): Promise<() => void> {
  const hash = createHash('sha256')
    .update(realPathOf(resolve(path)))
    .digest('hex');
  const name = `\0ganglion-run-${hash}`;
  for (let retry = 0; retry < RETRIES; retry++) {
    const server = await listen(name, path);
    if (server) return () => server.close();
    const holder = await askHolder(name);
    if (holder !== undefined) throw new GanglionError('environment', `${path} is in use by ${holder}`);
    await delay(RETRY_MS);
  }
  throw new GanglionError('environment', `${path} is in use by another process`);
}

/** The path without symbolic links, as far as it exists. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const above = dirname(path);
    return above === path ? path : join(realPathOf(above), basename(path));
  }
}

/** @returns undefined when the name is taken */
function listen(name: string, path: string): Promise<Server | undefined> {
  return new Promise((done, fail) => {
    const server = createServer((socket) => {
      socket.unref().on('error', () => {}); // who asked may be gone
      socket.end(`process ${process.pid}`);
    });
    server.unref();
    server.once('error', (error) => {
      if (systemErrorCode(error) === 'EADDRINUSE') done(undefined);
      else fail(fromSystemError(`cannot lock ${path}`, error));
    });
    server.listen(name, () => done(server));
  });
}

/** What holds a lock, `process 1234`; undefined when it has just let go. */
function askHolder(name: string): Promise<string | undefined> {
  return new Promise((done) => {
    let answer = '';
    const socket = connect(name);
    socket.setTimeout(ANSWER_MS, () => {
      answer = 'another process'; // stopped, or busy
      socket.destroy();
    });
    socket.on('data', (bytes) => {
      answer += bytes;
    });
    socket.on('error', () => {});
    socket.on('close', () => done(answer === '' ? undefined : answer));
  });
}
