import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { bundle } from '../../../../coordinator/report/bundle.ts';
import { scratchFolder } from '../../scratch.ts';

function bundled(files: Readonly<Record<string, string>>, given: Readonly<Record<string, string>> = {}): string {
  const folder = scratchFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return bundle(pathToFileURL(join(folder, 'a.js')), given);
}

describe('bundle', () => {
  it('runs modules once each, in order, with names of their own', () => {
    const script = bundled({
      'a.js':
        "import { B, twice } from './b.js';\nimport { log } from './c.js';\nconst own = 1;\nlog(new B(), twice(own));\n",
      'b.js':
        "import { log } from './c.js';\nconst own = 20;\nexport class B {}\nexport function twice(x) {\n  return 2 * x + own;\n}\nlog('b');\n",
      'c.js':
        'export const seen = [];\nexport function log(...all) {\n  seen.push(all.length);\n  said.push(...all);\n}\n',
    });
    const said: unknown[] = [];
    runInNewContext(script, { said });
    expect([said.length, said[0], said[2]]).toEqual([3, 'b', 22]);
  });

  it('takes given expressions for what is no module', () => {
    const script = bundled({ 'a.js': "import plot from './plot.js';\nplot(1);\n" }, { 'plot.js': 'globalThis.draw' });
    const drawn: number[] = [];
    runInNewContext(script, { draw: (x: number) => drawn.push(x) });
    expect(drawn).toEqual([1]);
  });

  it.each([
    "import * as b from './b.js';",
    "import { x as y } from './b.js';",
    "import './b.js';",
    'export default 1;',
    "export { b } from './b.js';",
    "import b from 'package';",
  ])('refuses %s', (line) => {
    expect(() => bundled({ 'a.js': `${line}\n`, 'b.js': '' })).toThrow(`a.js: cannot put into one script: ${line}`);
  });
});
