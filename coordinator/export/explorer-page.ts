// explorer.html: one file with everything in it, that runs from a file: URL and may load nothing, not even from its own folder.
import { createHash } from 'node:crypto';
import type { ExplorerData } from '../../shared/explorer-data.ts';
import { readInstalled } from '../files/installed-file.ts';
import { readModules, readWasm, toScript } from '../files/page-modules.ts';

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
  return {
    template: text(new URL('index.html', page)),
    styles: [new URL('live.css', live), new URL('explorer.css', page)].map(text),
    modules: readModules(compiled, ENTRY),
    entry: ENTRY,
    kernels: readWasm(kernels),
  };
}

/** The whole page. Its policy forbids every script and style but these, and every request. */
export function toPage(parts: PageParts, { data, weights }: PageContent): string {
  const script = asScript(toScript(parts.modules, parts.entry));
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
