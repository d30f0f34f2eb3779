// One file, whatever is in its parts: nothing ends a script early, and the policy names every script by its hash.
import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { readPageParts, toPage } from '../../../../coordinator/export/explorer-page.ts';
import type { ExplorerData } from '../../../../shared/explorer-data.ts';
import { scratchFolder } from '../../scratch.ts';
import { writeFiles } from '../data/idx-bytes.ts';

const TEMPLATE = '<head><!-- policy --><!-- style --></head><body><!-- data --><!-- script --></body>';
/** What HTML would take for the end of a script, or for a script within a comment, in places where JavaScript may have it. */
const TRICKY =
  'said = ["</script>", `</SCRIPT >`, "<!--<script>", "$& $1 $`"];\r\nfound = /<\\/script|<!--/.test(said[0]);\n';
const MODULES = {
  'a/app.js': `${TRICKY}const b = require("../b.js"); b.list.push("app"); result = b.list.concat(require("../b.js").list);`,
  'b.js': 'exports.list = ["b"]; require("./c.js");',
  'c.js': 'result = "c";',
};
const data = { run: '</script><!-- $& <script>', step: 3 } as unknown as ExplorerData;

const page = toPage(
  {
    template: TEMPLATE,
    styles: ['a {}\r\n', 'b {}'],
    modules: MODULES,
    entry: 'a/app.js',
    kernels: { 'a.wasm': Uint8Array.of(4) },
  },
  { data, weights: Uint8Array.of(1, 2, 3) },
);

/** Elements as a browser cuts them: a script ends at the first `</script`. */
const elements = [...page.matchAll(/<(script|style)([^>]*)>(.*?)<\/\1/gis)].map(([, name, attributes, text = '']) => ({
  name,
  attributes,
  text,
}));
const scripts = elements.filter(({ name, attributes }) => name === 'script' && attributes === '');

describe('toPage', () => {
  it('keeps every part whole', () => {
    expect(elements.map(({ attributes }) => attributes)).toEqual([
      '',
      ' type="application/json" id="explorer-data"',
      ' type="text/plain" id="weights"',
      ' type="text/plain" id="a.wasm"',
      '',
    ]);
    expect(JSON.parse(elements[1]?.text ?? '')).toEqual(data);
    expect([elements[2]?.text, elements[3]?.text]).toEqual(['AQID', 'BA==']);
    expect(page.match(/<!--/g)).toBe(null);
  });

  it('runs the entry module, and every module once', () => {
    const context: Record<string, unknown> = { URL };
    runInNewContext(scripts[0]?.text ?? '', context);
    expect(context.result).toEqual(['b', 'app', 'b', 'app']);
    expect(context.said).toEqual(['</script>', '</SCRIPT >', '<!--<script>', '$& $1 $`']);
    expect(context.found).toBe(true);
  });

  it('allows its own scripts and style by their hashes, and no other, and no address', () => {
    const policy = /content="([^"]*)"/.exec(page)?.[1] ?? '';
    const directives = Object.fromEntries(policy.split('; ').map((text) => text.split(/ (.*)/, 2)));
    const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    expect(directives).toEqual({
      'default-src': "'none'",
      'script-src': ["'wasm-unsafe-eval'", ...scripts.map(({ text }) => hash(text))].join(' '),
      'style-src': hash(elements[0]?.text ?? ''),
      'img-src': 'data: blob:',
      'base-uri': "'none'",
      'form-action': "'none'",
    });
    expect(page).not.toContain('\r'); // a browser reads it as a line feed, and then hashes
  });
});

const ENTRY = 'require("../../shared/b.js");';

/** Folders with all that a page is read from. */
function pageFolders() {
  const root = scratchFolder();
  const url = (name: string) => pathToFileURL(join(root, name, '/'));
  const hash = createHash('sha256').update('wasm').digest('hex');
  const files = {
    'page/index.html': TEMPLATE,
    'page/explorer.css': 'b {}',
    'live/live.css': 'a {}',
    'compiled/dashboards/explorer/app.js': ENTRY,
    'compiled/shared/b.js': 'exports.b = 1;',
    'compiled/dashboards/lend/worker.js': 'of another page',
    'kernels/SHA256SUMS': `${hash}  a.wasm\n`,
    'kernels/a.wasm': 'wasm',
  };
  writeFiles(root, files);
  return { root, page: url('page'), live: url('live'), compiled: url('compiled'), kernels: url('kernels') };
}

describe('readPageParts', () => {
  it('has every module that it needs, and the kernels that the sums name', () => {
    expect(readPageParts(pageFolders())).toEqual({
      template: TEMPLATE,
      styles: ['a {}', 'b {}'],
      modules: { 'dashboards/explorer/app.js': ENTRY, 'shared/b.js': 'exports.b = 1;' },
      entry: 'dashboards/explorer/app.js',
      kernels: { 'a.wasm': Buffer.from('wasm') },
    });
  });

  it('takes no kernels that were changed, and says which file is missing', () => {
    const { root, ...folders } = pageFolders();
    const file = join(root, 'kernels', 'a.wasm');
    const refusal = (message: unknown) => expect.objectContaining({ code: 'environment', message });
    writeFileSync(file, 'other');
    const changed = `${file} was changed: it has another SHA-256; install Ganglion again`;
    expect(() => readPageParts(folders)).toThrow(refusal(changed));
    rmSync(file);
    expect(() => readPageParts(folders)).toThrow(refusal(expect.stringMatching(/^cannot read .*a\.wasm: /)));
    rmSync(join(root, 'compiled'), { recursive: true });
    const missing = /^cannot read .*app\.js, which npm run build makes$/;
    expect(() => readPageParts(folders)).toThrow(refusal(expect.stringMatching(missing)));
  });
});
