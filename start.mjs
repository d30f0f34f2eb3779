// Runs a command of the program from its sources, for the scripts of package.json: `node start.mjs train --workers 4`. It compiles what has
// changed first. To see that nothing has takes 20 ms; the compiler takes half a second to find out.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync, statSync, utimesSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = dirname(fileURLToPath(import.meta.url));
const MAIN = join(PACKAGE, 'dist/coordinator/main.js');
/** Written by the compiler; its time says since when everything is compiled. */
const STAMP = join(PACKAGE, 'dist/.tsbuildinfo');
const SOURCES = ['coordinator', 'workers', 'shared'];

/**
 * By ctime: a file that is put in another's place keeps its own mtime.
 *
 * @param {string} path within the package
 */
function changedMs(path) {
  return statSync(join(PACKAGE, path), { throwIfNoEntry: false })?.ctimeMs ?? Number.POSITIVE_INFINITY;
}

/** Time of the newest source. */
function newestMs() {
  const paths = SOURCES.flatMap((folder) =>
    readdirSync(join(PACKAGE, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
  return Math.max(...['tsconfig.json', 'package-lock.json', ...paths].map(changedMs));
}

/**
 * Runs the compiler. Ends this process where it finds errors, and where there is none and nothing has been compiled before.
 *
 * @param {string} project file of its configuration
 * @returns {boolean} whether it has compiled
 */
function compile(project) {
  const path = [process.env.PATH, join(PACKAGE, 'node_modules/.bin')].join(delimiter);
  const options = { cwd: PACKAGE, env: { ...process.env, PATH: path }, stdio: /** @type {const} */ ('inherit') };
  const { status, error } = spawnSync('tsc', ['-p', project], options);
  if (status === 0) return true;
  if (error === undefined) {
    if (existsSync(STAMP)) utimesSync(STAMP, 0, 0); // all of it the next time
    process.exit(status ?? 1);
  }
  const how = `there is no compiler (tsc: ${error.message}); get it with: npm ci --include=dev`;
  if (!existsSync(MAIN)) {
    process.stderr.write(`ganglion: nothing is compiled, and ${how}\n`);
    process.exit(1);
  }
  process.stderr.write(`ganglion: what was compiled before runs, as ${how}\n`);
  return false;
}

/**
 * A signal while the compiler runs arrives when it has. Without a listener SIGUSR1 would open Node's debugger, and SIGHUP end what nohup
 * started. Nothing has begun: the same command goes on.
 *
 * @param {NodeJS.Signals} signal
 */
const onEarlySignal = (signal) => {
  if (signal !== 'SIGHUP' || process.stdout.isTTY) process.exit(75);
};
const EARLY_SIGNALS = /** @type {const} */ (['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGXCPU']);
for (const signal of EARLY_SIGNALS) process.on(signal, onEarlySignal);

const startedMs = Date.now();
const stampMs = statSync(STAMP, { throwIfNoEntry: false })?.mtimeMs ?? 0;
if (newestMs() >= stampMs && compile('tsconfig.json')) {
  try {
    // What has changed since it began is compiled the next time.
    utimesSync(STAMP, startedMs / 1000, startedMs / 1000);
  } catch {
    // The folder is another user's, or read-only, and there was nothing to write: the next start looks again.
  }
}
// A file that --config or --resume names may have pageReplicas.
const asksForPages = (/** @type {string} */ arg) => arg === 'export' || /^--(page-replicas|config|resume)\b/.test(arg);
const forBrowsers = process.argv.some(asksForPages) || process.env.npm_config_page_replicas !== undefined;
if (forBrowsers) compile('tsconfig.explorer.json');
// `npm run` changes to the package's folder: what a user names is relative to the user's own.
const { npm_package_json: ran, INIT_CWD: folder } = process.env;
const byNpm = ran !== undefined && [dirname(ran), '.'].every((path) => realpathSync(path) === PACKAGE);
if (byNpm && folder !== undefined) process.chdir(folder);
// Between a timer and an immediate lies the poll in which they are told.
await new Promise((resolve) => setTimeout(() => setImmediate(resolve)));
for (const signal of EARLY_SIGNALS) process.off(signal, onEarlySignal); // the program takes its own
await import('./dist/coordinator/main.js');
