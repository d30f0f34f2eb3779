// The npm package @tensorflow/tfjs-node-gpu: the C++ source of the add-on, and protobuf classes. Ganglion does not depend on it, as its
// install script downloads from a place that is closed: set-up fetches it into the cache without scripts, at the pinned version. One that
// is installed beside Ganglion is used in place of that.
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { toCacheFolder } from '../../../shared/cache-folder.ts';
import { GanglionError, systemErrorCode } from '../../../shared/error.ts';
import { lastLine, runCommand } from '../../build/command.ts';
import { faultOf, sealFolder } from '../../build/sealed-folder.ts';
import { moveIntoPlace } from '../../build/staging.ts';

/** Version of the package. */
export const TFJS_NODE_VERSION = '4.22.0';

const NAME = '@tensorflow/tfjs-node-gpu';

/** What is fetched: the package, and what its protobuf classes need. The hashes are those of npm's registry. */
const ARCHIVES = [
  {
    name: NAME,
    version: TFJS_NODE_VERSION,
    file: `tensorflow-tfjs-node-gpu-${TFJS_NODE_VERSION}.tgz`,
    sha512: 'p//NN6DGiN4hInUmIkRffaFVMcdTREUMjPyjW04J7OXvB2zBlQimj61eFKSgRrH3f5TnOfKzb0n56he/B6a4bw==',
  },
  {
    name: 'google-protobuf',
    version: '3.21.4',
    file: 'google-protobuf-3.21.4.tgz',
    sha512: 'MnG7N936zcKTco4Jd2PX2U96Kf9PxygAPKBug+74LHzmHXmceN16MmRcdgZv+DGef/S9YvQAfRsNCn4cjf9yyQ==',
  },
] as const;

/** Where set-up puts the package. */
export function packageFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(toCacheFolder(env), `tfjs-node-gpu-${TFJS_NODE_VERSION}`);
}

/** A `require` that finds the package; undefined where it is neither installed nor fetched whole. @throws as {@link faultOf} */
export function findPackage(env: NodeJS.ProcessEnv = process.env): NodeJS.Require | undefined {
  const installed = createRequire(import.meta.url);
  try {
    if (installed(`${NAME}/package.json`).version === TFJS_NODE_VERSION) return installed;
  } catch {
    // not installed
  }
  const folder = packageFolder(env);
  return faultOf(folder, toCacheFolder(env)) === undefined ? createRequire(join(folder, 'package.json')) : undefined;
}

/** As {@link findPackage}. @throws GanglionError `environment` where it is not there */
export function requirePackage(env: NodeJS.ProcessEnv = process.env): NodeJS.Require {
  const found = findPackage(env);
  if (found) return found;
  throw new GanglionError(
    'environment',
    `there is no whole ${NAME} in ${packageFolder(env)}; run: npm run setup -- --tensorflow`,
  );
}

/** Folder of the package's files. @throws GanglionError `environment` where it is not there */
export function sourceFolder(env: NodeJS.ProcessEnv = process.env): string {
  return dirname(requirePackage(env).resolve(`${NAME}/package.json`));
}

/**
 * Fetches the package by npm, which takes the user's registry and proxy, and moves it into place.
 *
 * @param staging a folder in the cache folder
 * @throws GanglionError `environment` when npm or tar fails, or an archive has another hash
 */
export async function fetchPackage(staging: string, signal: AbortSignal): Promise<void> {
  const archives = join(staging, 'archives');
  const staged = join(staging, 'package');
  await mkdir(archives);
  const wanted = ARCHIVES.map(({ name, version }) => `${name}@${version}`);
  await run(
    'npm',
    ['pack', ...wanted, '--ignore-scripts', '--silent', '--pack-destination', archives],
    archives,
    signal,
  );
  for (const { name, file, sha512 } of ARCHIVES) {
    const path = join(archives, file);
    const got = createHash('sha512')
      .update(await readFile(path))
      .digest('base64');
    if (got !== sha512)
      throw new GanglionError('environment', `${file} has the wrong SHA-512: the registry serves another file`);
    const folder = join(staged, 'node_modules', name);
    await mkdir(folder, { recursive: true });
    await run('tar', ['-xzf', path, '-C', folder, '--strip-components=1'], archives, signal);
  }
  await writeFile(join(staged, 'package.json'), '{"private":true}\n');
  await sealFolder(staged);
  await moveIntoPlace(staged, packageFolder(), join(staging, 'replaced-package'));
}

async function run(program: string, args: readonly string[], cwd: string, signal: AbortSignal): Promise<void> {
  const fail = (reason: string, cause?: unknown): never => {
    throw new GanglionError('environment', `cannot fetch ${NAME}: ${reason}`, { cause });
  };
  const result = await runCommand(program, args, { signal, cwd }).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return fail(`${program} is missing`, error);
    throw error;
  });
  if (result.exitCode !== 0) fail(`${program} failed (${lastLine(result.output)})`);
}
