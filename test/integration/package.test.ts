// The package as somebody else gets it: packed from a clean copy and installed in an empty project with
// npm's defaults. It needs npm's registry: without a network it is skipped, but in CI.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { isInstalled, REPOSITORY, scratchFolder, summaryOf } from './ganglion.ts';
import { copyRepository, installPacked, succeed } from './packed.ts';

const scratch = scratchFolder('package');
const hasRegistry = Boolean(process.env.CI) || isInstalled('npm', 'view', 'comlink@4.4.2', 'version');

const MINUTES = 60_000;

/** Targets of a Markdown file's links and pictures within the package. */
function linksOf(path: string, text: string): string[] {
  const targets = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)|(?:src|href)="([^"#]+)"/g)].map(([, a, b]) => a ?? b ?? '');
  return targets.filter((target) => !/^[a-z]+:/.test(target)).map((target) => posix.join(posix.dirname(path), target));
}

describe.skipIf(!hasRegistry)('the packed package', () => {
  let files: string[];
  let project: string;
  let copy: string;

  beforeAll(async () => {
    copy = scratch('repository');
    project = scratch('project');
    copyRepository(copy);
    // As prepack does, but for the add-ons of other machines, which take minutes: test/slow/prebuilds.test.ts.
    await succeed(copy, 'npm', 'run', 'build');
    files = await installPacked(copy, project, '--ignore-scripts');
  }, 5 * MINUTES);

  it('has all that it reads and links to, and nothing that it is built or tested with', () => {
    expect(files).toContain('workers/engines/kernels/addon.cc');
    expect(files).toContain('workers/judge/classifier.safetensors');
    expect(files).toContain(packageJson.bin.ganglion);
    const documents = files.filter((path) => path.endsWith('.md') && !path.startsWith('test/'));
    expect(documents).toContain('README.md');
    const isThere = (target: string) => files.some((path) => path === target || path.startsWith(`${target}/`));
    for (const path of documents.filter((name) => name === 'README.md' || name.startsWith('docs/'))) {
      const missing = linksOf(path, readFileSync(join(copy, path), 'utf8')).filter((target) => !isThere(target));
      expect({ path, missing }).toEqual({ path, missing: [] });
    }
    expect(files.filter((path) => /tsbuildinfo|\.test\.|^test\/(?!bench\/RESULTS)|node_modules/.test(path))).toEqual(
      [],
    );
  });

  it('comes without TensorFlow', () => {
    expect(existsSync(join(project, 'node_modules', '@tensorflow', 'tfjs-core'))).toBe(true);
    expect(existsSync(join(project, 'node_modules', '@tensorflow', 'tfjs-node-gpu'))).toBe(false);
  });

  it('trains and exports by npx', { timeout: 2 * MINUTES }, async () => {
    const args = ['--steps', '2', '--batch', '16', '--seed', '7', '--metrics-port', 'off', '--run', 'a'];
    const trained = await succeed(project, 'npx', 'ganglion', 'train', ...args);
    expect(trained.stderr).toBe('');
    expect(summaryOf(join(project, 'a'))).toMatchObject({ step: 2, engine: expect.stringMatching(/^kernels-/) });
    expect(existsSync(join(project, 'a', 'report.html'))).toBe(true);
    await succeed(project, 'npx', 'ganglion', 'export', '--run', 'a', '--output', 'page');
    for (const name of ['model.json', 'explorer.html'])
      expect(existsSync(join(project, 'page', name)), name).toBe(true);
  });

  it('is a library for strict TypeScript that checks every declaration', { timeout: 2 * MINUTES }, async () => {
    writeFileSync(
      join(project, 'main.ts'),
      `import { Generator, GanglionError, openRun, train, type Images, type StepLog, type Training } from 'ganglion';

const training: Training = train({ steps: 2, batch: 16, seed: 7, signal: new AbortController().signal });
const records: StepLog[] = [];
for await (const record of training) records.push(record);
const images: Images = await Generator.open('a').draw({ count: 2, seed: 3 });
const size: number = images.shape.reduce((a: number, b: number) => a * b, images.count);
// @ts-expect-error: there is no such setting
const wrong = (): Training => train({ step: 2 });
if (size !== images.values.length || !(openRun('a') satisfies object)) throw new GanglionError('usage', wrong.name);
console.log(records.map(({ step }) => step).join(), await training.stateSha256());
`,
    );
    const types = packageJson.devDependencies['@types/node'];
    await succeed(project, 'npm', 'install', '--no-audit', '--no-fund', '--save-dev', `@types/node@${types}`);
    const tsc = join(REPOSITORY, 'node_modules', '.bin', 'tsc');
    const flags = [
      '--strict',
      '--skipLibCheck',
      'false',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--types',
      'node',
    ];
    await succeed(project, tsc, ...flags, 'main.ts');
    const { stdout } = await succeed(project, process.execPath, 'main.js');
    expect(stdout).toBe(`1,2 ${summaryOf(join(project, 'a')).stateSha256}\n`);
  });
});
