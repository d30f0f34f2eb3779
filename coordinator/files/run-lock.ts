// One process at a time on a run folder. The lock is a socket in Linux's abstract namespace (unix(7)), named after the folder:
// the kernel takes it away with its process, however that ends. So it is never stale, and nothing of it lies in the folder. Other
// systems have no such names: there it is a folder for temporary files that its process keeps fresh, stale some seconds after its end.
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GanglionError, systemErrorCode } from '../../shared/error.ts';
import { fromSystemError } from './atomic-file.ts';

/** How long the process that holds a lock may take to say who it is. */
const ANSWER_MS = 2_000;
/** How often, and at which interval in milliseconds, to look whether a process that was just killed has gone. */
const RETRIES = 20;
const RETRY_MS = 50;
/** A lock file whose process has not touched it for so long is left over. */
const STALE_MS = 10_000;
/** Some file systems count time in whole seconds, and the lock's is rounded up. */
const MARGIN_MS = 2_000;

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
  return process.platform === 'linux' ? lockBySocket(hash, path) : lockByFile(hash, path);
}

async function lockBySocket(hash: string, path: string): Promise<() => void> {
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

/**
 * The lock of systems without abstract sockets, see {@link lockRunFolder}.
 *
 * @param staleMs at least 2,000
 */
export async function lockByFile(hash: string, path: string, staleMs = STALE_MS): Promise<() => void> {
  const { lock } = await import('proper-lockfile'); // where it is needed: it listens to every signal
  const options = { realpath: false, stale: staleMs, update: staleMs / 4 };
  const file = join(tmpdir(), `ganglion-run-${hash}`);
  // one that a killed process has left is taken over once it is stale
  for (const sinceMs = performance.now(); ; await delay(RETRY_MS)) {
    try {
      const release = await lock(file, options);
      return () => void release().catch(() => {}); // it becomes stale
    } catch (error) {
      if (systemErrorCode(error) !== 'ELOCKED') throw fromSystemError(`cannot lock ${path}`, error);
    }
    if (performance.now() - sinceMs > staleMs + MARGIN_MS) {
      throw new GanglionError('environment', `${path} is in use by another process`);
    }
  }
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

/** The holder of a lock, `process 1234`; undefined when it was just released. */
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
