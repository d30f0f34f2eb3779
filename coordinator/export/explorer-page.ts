// explorer.html: one file with everything in it, that runs from a file: URL and may load nothing, not even from its own folder.
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExplorerData } from '../../shared/explorer-data.ts';
import { fromSystemError } from '../files/atomic-file.ts';
import { readInstalled } from '../files/installed-file.ts';

/** What the page consists of, as text. */
export interface PageParts {
  /** index.html, with a comment `<!-- name -->` where each part goes. */
  readonly template: string;
  readonly styles: readonly string[];
  /** Classic scripts, in their order. */
  readonly libraries: readonly string[];
  /** CommonJS modules by path; those that they require are among them. */
  readonly modules: Readonly<Record<string, string>>;
  /** Path of the module that starts the page. */
  readonly entry: string;
}

/** The page's own part of a run. */
export interface PageContent {
  readonly data: ExplorerData;
  readonly weights: Uint8Array;
  readonly wasm: Uint8Array;
}

const ENTRY = 'dashboards/explorer/app.js';
const require = createRequire(import.meta.url);
/** TensorFlow.js, read as text: nothing of it runs here. */
const LIBRARIES = [
  () => join(require.resolve('@tensorflow/tfjs-core/package.json'), '../dist/tf-core.es2017.min.js'),
  () => join(require.resolve('@tensorflow/tfjs-converter/package.json'), '../dist/tf-converter.es2017.min.js'),
  () =>
    join(require.resolve('@tensorflow/tfjs-backend-webgpu/package.json'), '../dist/tf-backend-webgpu.es2017.min.js'),
  () => join(require.resolve('@tensorflow/tfjs-backend-webgl/package.json'), '../dist/tf-backend-webgl.es2017.min.js'),
  () => join(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'), '../dist/tf-backend-wasm.es2017.min.js'),
];
const WASM = () =>
  join(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'), '../dist/tfjs-backend-wasm-simd.wasm');

/** The WebAssembly program of the backend `wasm`, for processors with SIMD: all browsers since 2023 have it. */
export function readWasm(): Uint8Array {
  return readInstalled(WASM());
}

/**
 * Reads the parts from the installation.
 *
 * @param page folder of the page's HTML and CSS, with a slash at its end
 * @param live folder of the live page, whose style this page shares, with a slash at its end
 * @param compiled folder of the page's compiled modules
 * @throws GanglionError `environment`
 */
export function readPageParts({ page, live, compiled }: Record<'page' | 'live' | 'compiled', URL>): PageParts {
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
    libraries: LIBRARIES.map((path) => text(path())),
    modules: Object.fromEntries(
      names.sort().map((name) => [relative('.', name).split(sep).join('/'), text(join(folder, name))]),
    ),
    entry: ENTRY,
  };
}

/** The whole page. Its policy forbids every script and style but these, and every request but of data in the page itself. */
export function toPage(parts: PageParts, { data, weights, wasm }: PageContent): string {
  const scripts = [...parts.libraries, moduleTable(parts.modules, parts.entry)].map(asScript);
  const style = asElementText(parts.styles.join('\n'));
  const policy = [
    "default-src 'none'",
    `script-src 'wasm-unsafe-eval' ${scripts.map(sourceHash).join(' ')}`,
    `style-src ${sourceHash(style)}`,
    'img-src data: blob:',
    'connect-src data:', // tfjs fetches its wasm program, which is in the page
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const inserted: Record<string, string> = {
    policy: `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    style: `<style>${style}</style>`,
    data: [
      `<script type="application/json" id="explorer-data">${asJson(data)}</script>`,
      `<script type="text/plain" id="weights">${Buffer.from(weights).toString('base64')}</script>`,
      `<script type="text/plain" id="wasm">${Buffer.from(wasm).toString('base64')}</script>`,
    ].join('\n'),
    scripts: scripts.map((script) => `<script>${script}</script>`).join('\n'),
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

const asElementText = (text: string): string => text.replaceAll('\r\n', '\n');

/** In strings and regular expressions, the only places where these can stand, \x3c is the same as <. */
function asScript(code: string): string {
  return asElementText(code.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n')).replace(
    /<(?=\/script|script|!--)/gi,
    '\\x3c',
  );
}

function asJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}
