// Gets a Python wheel with the user's own pip, so that mirrors, proxies and certificates configured for pip apply. A verified
// wheel is kept in the cache until the set-up has succeeded: a failing compile does not download it again.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { GanglionError } from '../../shared/error.ts';
import { type CommandResult, lastLine, runCommand } from './command.ts';
import { diskError } from './disk.ts';
import type { Progress } from './progress.ts';

const POLL_INTERVAL_MS = 200;

/** A wheel of a package index, pinned: pip checks the hash, and set-up checks it again. */
export interface Wheel {
  /** What it has, for people. */
  readonly label: string;
  /** As pip names it: `tensorflow-cpu==2.21.0`. */
  readonly requirement: string;
  readonly pythonVersion: string;
  readonly platform: string;
  readonly fileName: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** Where the verified wheel is kept until the set-up succeeds. */
export function keptWheelPath(cacheFolder: string, { fileName }: Pick<Wheel, 'fileName'>): string {
  return join(cacheFolder, fileName);
}

/** Whether a verified wheel is kept from an earlier set-up; one that fails its hash is deleted. */
export async function hasKeptWheel(cacheFolder: string, wheel: Wheel, signal: AbortSignal): Promise<boolean> {
  const path = keptWheelPath(cacheFolder, wheel);
  if ((await sizeOf(path)) === wheel.bytes && (await sha256Of(path, signal)) === wheel.sha256) return true;
  await rm(path, { force: true });
  return false;
}

/**
 * Downloads the wheel into `stagingFolder`, verifies it and moves it to {@link keptWheelPath}.
 *
 * @param needed disk space that the set-up needs in all, for the message where the disk runs full
 * @throws GanglionError for an unreachable index, a wrong hash, a full disk, or anything else pip stumbles over.
 */
export async function downloadWheel(
  wheel: Wheel,
  needed: number,
  cacheFolder: string,
  stagingFolder: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const target = join(stagingFolder, 'wheel');
  const temporary = join(stagingFolder, 'pip');
  const requirements = join(stagingFolder, 'requirements.txt');
  await Promise.all([mkdir(target), mkdir(temporary)]);
  await writeFile(requirements, `${wheel.requirement} --hash=sha256:${wheel.sha256}\n`);

  // pip writes into TMPDIR while it downloads and copies the wheel to its target at the end: poll both.
  const transfer = progress.transfer(`downloading ${wheel.label}`, wheel.bytes);
  const done = new AbortController();
  const polling = pollLargestFile([temporary, target], transfer.update, AbortSignal.any([signal, done.signal]));
  let result: CommandResult;
  try {
    result = await runCommand('python3', pipArguments(wheel, requirements, target), {
      env: { ...process.env, TMPDIR: temporary },
      signal,
    });
    if (result.exitCode === 0) transfer.update(wheel.bytes);
  } finally {
    done.abort();
    await polling;
    transfer.stop();
  }
  if (result.exitCode !== 0) throw toPipError(result, cacheFolder, wheel, needed);

  const [fileName] = (await readdir(target)).filter((name) => name.endsWith('.whl'));
  if (fileName === undefined) throw new GanglionError('environment', 'pip reported success but left no wheel');
  const sha256 = await sha256Of(join(target, fileName), signal);
  if (sha256 !== wheel.sha256) throw hashError(wheel, sha256);
  await rename(join(target, fileName), keptWheelPath(cacheFolder, wheel));
  for (const folder of [temporary, target]) await rm(folder, { recursive: true, force: true }); // another wheel may follow
}

/** The one-line error for a pip that failed; the cause is read from its output. */
export function toPipError(
  result: Pick<CommandResult, 'exitCode' | 'output'>,
  cacheFolder: string,
  wheel: Wheel,
  needed: number,
): GanglionError {
  const { output } = result;
  const said = lastLine(output);
  if (/DO NOT MATCH THE HASHES/i.test(output)) return hashError(wheel, /Got\s+([0-9a-f]{64})/.exec(output)?.[1]);
  if (/No space left on device|Disk quota exceeded/i.test(output)) return diskError(cacheFolder, undefined, needed);
  if (
    /Could not find a version|No matching distribution|Max retries|Connection|Timeout|ProxyError|SSLError/i.test(output)
  )
    return new GanglionError(
      'environment',
      `cannot download ${wheel.requirement}: pip did not find it; check the network, the proxy and the package index that pip is set to (pip said: ${said})`,
    );
  return new GanglionError(
    'environment',
    `cannot download ${wheel.requirement}: pip failed with exit code ${result.exitCode ?? 'none'} (pip said: ${said})`,
  );
}

function pipArguments({ pythonVersion, platform }: Wheel, requirements: string, target: string): string[] {
  return [
    ...['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--no-cache-dir', '--no-input'],
    ...['--disable-pip-version-check', '--progress-bar', 'off'],
    ...['--python-version', pythonVersion, '--platform', platform],
    ...['--require-hashes', '-r', requirements, '-d', target],
  ];
}

function hashError({ requirement, sha256 }: Wheel, got: string | undefined): GanglionError {
  return new GanglionError(
    'environment',
    `the downloaded ${requirement} has the wrong SHA-256: expected ${sha256}, got ${got ?? 'another'}; the package index serves another file, nothing was installed`,
  );
}

async function sha256Of(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, { signal });
  return hash.digest('hex');
}

async function pollLargestFile(folders: string[], update: (bytes: number) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    update(await largestFile(folders));
    await delay(POLL_INTERVAL_MS, undefined, { signal }).catch(() => {});
  }
}

async function largestFile(folders: string[]): Promise<number> {
  const sizes = await Promise.all(
    folders.map(async (folder) => {
      const entries = await readdir(folder, { recursive: true }).catch(() => []);
      const inside = await Promise.all(entries.map((entry) => sizeOf(join(folder, entry))));
      return Math.max(0, ...inside);
    }),
  );
  return Math.max(...sizes);
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true ? found.size : 0;
}
