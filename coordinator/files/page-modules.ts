// What pages run that tsc has compiled: CommonJS modules, put into one script, and the kernels in WebAssembly.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { checkSum, parseSums } from '../../shared/checksums.ts';
import { GanglionError } from '../../shared/error.ts';
import { readInstalled } from './installed-file.ts';

/** Packages that modules of a page require, as scripts without `eval`, which a page's policy forbids. */
const PACKAGES: Readonly<Record<string, string>> = { 'msgpackr/pack': 'msgpackr/index-no-eval' };

/**
 * Reads a module and all that it requires.
 *
 * @param compiled folder of the modules, which `npm run build` makes, with a slash at its end
 * @param entry path of the module below it
 * @returns texts by path
 * @throws GanglionError `environment` when one is missing
 */
export function readModules(compiled: URL, entry: string): Record<string, string> {
  const modules: Record<string, string> = {};
  const read = (path: string): void => {
    if (path in modules) return;
    const isPackage = path in PACKAGES;
    const file = isPackage ? createRequire(import.meta.url).resolve(PACKAGES[path] ?? path) : new URL(path, compiled);
    const text = readInstalled(file).toString('utf8');
    // A package looks for the module that it is put into.
    modules[path] = isPackage ? `const module = {};\n${text}` : text;
    if (isPackage) return;
    for (const [, name = ''] of text.matchAll(/\brequire\("([^"]+)"\)/g)) read(resolveModule(name, path));
  };
  const first = new URL(entry, compiled);
  if (!existsSync(first))
    throw new GanglionError('environment', `cannot read ${fileURLToPath(first)}, which npm run build makes`);
  read(entry);
  return Object.fromEntries(Object.entries(modules).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Path of a module that another one requires. */
function resolveModule(name: string, from: string): string {
  return name.startsWith('.') ? new URL(name, `file:///${from}`).pathname.slice(1) : name;
}

/** Compiled modules as one script: each is a function of its exports and of what gives it the others. */
export function toScript(modules: Readonly<Record<string, string>>, entry: string): string {
  const functions = Object.entries(modules).map(
    ([path, code]) => `${JSON.stringify(path)}: (exports, require) => {\n${code}\n}`,
  );
  return `(() => {
const modules = {
${functions.join(',\n')}
};
const loaded = {};
const load = (path) => {
  if (!(path in loaded)) modules[path](loaded[path] = {}, (name) => load(name[0] === '.' ? new URL(name, 'file:///' + path).pathname.slice(1) : name));
  return loaded[path];
};
load(${JSON.stringify(entry)});
})();`;
}

/** The programs in WebAssembly that SHA256SUMS names, by name. @throws GanglionError `environment` when one was changed */
export function readWasm(folder: URL): Record<string, Uint8Array> {
  const sums = parseSums(readInstalled(new URL('SHA256SUMS', folder)));
  const read = (name: string, sha256: string): Uint8Array => {
    const file = new URL(name, folder);
    const bytes = readInstalled(file);
    checkSum(file, bytes, sha256);
    return bytes;
  };
  return Object.fromEntries([...sums].map(([name, sha256]) => [name, read(name, sha256)]));
}
