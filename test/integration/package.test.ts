// The package as somebody else gets it: packed from a clean copy, which the build is a part of, and installed in an empty project with
// npm's defaults. It needs npm's registry: without a network it is skipped, but in CI.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { type Ended, isInstalled, REPOSITORY, scratchFolder, start, summaryOf } from './ganglion.ts';

const scratch = scratchFolder('package');
const hasRegistry = Boolean(process.env.CI) || isInstalled('npm', 'view', 'comlink@4.4.2', 'version');

const MINUTES = 60_000;

/** Runs a program, which must succeed. */
async function run(cwd: string, file: string, ...args: string[]): Promise<Ended> {
  const ended = await start(file, args, { cwd }).ended;
  expect({ args, ...ended }).toMatchObject({ exitCode: 0 });
  return ended;
}

/** Copies what git knows or would add, with the dependencies by a link. */
function copyOfRepository(): string {
  const copy = scratch('repository');
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
  const listed = execFileSync('git', args, { cwd: REPOSITORY, encoding: 'utf8' }).split('\0');
  for (const file of listed.filter((name) => name !== '' && existsSync(join(REPOSITORY, name)))) {
    mkdirSync(join(copy, dirname(file)), { recursive: true });
    copyFileSync(join(REPOSITORY, file), join(copy, file));
  }
  symlinkSync(join(REPOSITORY, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

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
    copy = copyOfRepository();
    const { stdout } = await run(copy, 'npm', 'pack', '--json', '--foreground-scripts=false');
    const [packed] = JSON.parse(stdout.slice(stdout.indexOf('[\n')));
    files = packed.files.map(({ path }: { path: string }) => path);
    project = scratch('project');
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
    await run(project, 'npm', 'install', '--no-audit', '--no-fund', join(copy, packed.filename));
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
    const trained = await run(project, 'npx', 'ganglion', 'train', ...args);
    expect(trained.stderr).toBe('');
    expect(summaryOf(join(project, 'a'))).toMatchObject({ step: 2, engine: expect.stringMatching(/^kernels-/) });
    expect(existsSync(join(project, 'a', 'report.html'))).toBe(true);
    await run(project, 'npx', 'ganglion', 'export', '--run', 'a', '--output', 'page');
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
    await run(project, 'npm', 'install', '--no-audit', '--no-fund', '--save-dev', `@types/node@${types}`);
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
    await run(project, tsc, ...flags, 'main.ts');
    const { stdout } = await run(project, process.execPath, 'main.js');
    expect(stdout).toBe(`1,2 ${summaryOf(join(project, 'a')).stateSha256}\n`);
  });
});
