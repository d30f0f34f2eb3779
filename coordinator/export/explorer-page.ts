// explorer.html: one file with everything in it, that runs from a file: URL and may load nothing, not even from its own folder.
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GanglionError } from '../../shared/error.ts';
import type { ExplorerData } from '../../shared/explorer-data.ts';
import { fromSystemError } from '../files/atomic-file.ts';
import { readInstalled } from '../files/installed-file.ts';

/** What the page consists of, as text but for the kernels. */
export interface PageParts {
  /** index.html, with a comment `<!-- name -->` where each part goes. */
  readonly template: string;
  readonly styles: readonly string[];
  /** CommonJS modules by path; those that they require are among them. */
  readonly modules: Readonly<Record<string, string>>;
  /** Path of the module that starts the page. */
  readonly entry: string;
  /** Programs in WebAssembly by name, which is also the id of their element. */
  readonly kernels: Readonly<Record<string, Uint8Array>>;
}

/** The page's own part of a run. */
export interface PageContent {
  readonly data: ExplorerData;
  /** The generator's parameters, then its running statistics, float32. */
  readonly weights: Uint8Array;
}

/**
 * Folders of the page's files: of its HTML and CSS, of the live page, whose style it shares, of its compiled modules, and of the kernels in
 * WebAssembly. Each has a slash at its end.
 */
export type PageFolders = Readonly<Record<'page' | 'live' | 'compiled' | 'kernels', URL>>;

const ENTRY = 'dashboards/explorer/app.js';

/**
 * Reads the parts from the installation.
 *
 * @throws GanglionError `environment`
 */
export function readPageParts({ page, live, compiled, kernels }: PageFolders): PageParts {
  const text = (path: string | URL): string => readInstalled(path).toString('utf8');
  const folder = fileURLToPath(compiled);
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'));
  } catch (error) {
    throw fromSystemError(`cannot read ${folder}, which npm run build makes`, error);
  }
  return {
    template: text(new URL('index.html', page)),
    styles: [new URL('live.css', live), new URL('explorer.css', page)].map(text),
    modules: Object.fromEntries(
      names.sort().map((name) => [relative('.', name).split(sep).join('/'), text(join(folder, name))]),
    ),
    entry: ENTRY,
    kernels: readKernels(kernels),
  };
}

/** The programs that SHA256SUMS names. */
function readKernels(folder: URL): Record<string, Uint8Array> {
  const sums = readInstalled(new URL('SHA256SUMS', folder)).toString('latin1').trimEnd().split('\n');
  const read = ([hash = '', name = '']: readonly string[]): [string, Uint8Array] => {
    const file = new URL(name, folder);
    const bytes = readInstalled(file);
    if (createHash('sha256').update(bytes).digest('hex') === hash) return [name, bytes];
    const message = `${fileURLToPath(file)} was changed: it has another SHA-256; install Ganglion again`;
    throw new GanglionError('environment', message);
  };
  return Object.fromEntries(sums.map((line) => read(line.split('  '))));
}

/** The whole page. Its policy forbids every script and style but these, and every request. */
export function toPage(parts: PageParts, { data, weights }: PageContent): string {
  const script = asScript(moduleTable(parts.modules, parts.entry));
  const style = asElementText(parts.styles.join('\n'));
  const policy = [
    "default-src 'none'",
    `script-src 'wasm-unsafe-eval' ${sourceHash(script)}`,
    `style-src ${sourceHash(style)}`,
    'img-src data: blob:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const binaries = Object.entries({ weights, ...parts.kernels });
  const inserted: Record<string, string> = {
    policy: `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    style: `<style>${style}</style>`,
    data: [
      `<script type="application/json" id="explorer-data">${asJson(data)}</script>`,
      ...binaries.map(([id, bytes]) => `<script type="text/plain" id="${id}">${toBase64(bytes)}</script>`),
    ].join('\n'),
    script: `<script>${script}</script>`,
  };
  return parts.template.replace(/<!-- (\w+) -->/g, (_, name: string) => {
    const text = inserted[name];
    if (text === undefined) throw new Error(`the page has no part ${name}`);
    return text;
  });
}

/** Compiled modules as one script: each is a function of its exports and of what gives it the others. */
function moduleTable(modules: Readonly<Record<string, string>>, entry: string): string {
  const functions = Object.entries(modules).map(
    ([path, code]) => `${JSON.stringify(path)}: (exports, require) => {\n${code}\n}`,
  );
  return `(() => {
const modules = {
${functions.join(',\n')}
};
const loaded = {};
const load = (path) => {
  if (!(path in loaded)) modules[path](loaded[path] = {}, (name) => load(new URL(name, 'file:///' + path).pathname.slice(1)));
  return loaded[path];
};
load(${JSON.stringify(entry)});
})();`;
}

/** What a browser compares with the policy: it reads every line end as a line feed. */
const sourceHash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

const asElementText = (text: string): string => text.replaceAll('\r\n', '\n');

/** In strings and regular expressions, the only places where these can stand, \x3c is the same as <. */
function asScript(code: string): string {
  return asElementText(code).replace(/<(?=\/script|script|!--)/gi, '\\x3c');
}

function asJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}
