// What `ganglion export` writes: the files, and the model, which draws in Node what `ganglion sample` draws. The page: explorer.test.ts.
import { cpSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type * as converter from '@tensorflow/tfjs-converter';
import type * as core from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportRun, largestDifference, PIXELS, ROUNDING } from './exported-run.ts';
import { checkpointPath, filesBelow, ganglion, scratchFolder, snapshot, succeed, summaryOf } from './ganglion.ts';

const require = createRequire(import.meta.url);
const scratch = scratchFolder('export');
const run = scratch('run');
const output = scratch('new', 'folder');
/** 30 images of seed 3. */
let sampled: Float32Array;

beforeAll(async () => {
  sampled = await exportRun(scratch, run, output);
});

describe('export', () => {
  it('writes the model, its weights and the page, and nothing else', async () => {
    expect(filesBelow(output)).toEqual(['explorer.html', 'group1-shard1of1.bin', 'model.json']);
    const model = JSON.parse(readFileSync(join(output, 'model.json'), 'utf8'));
    const size = (product: number, { shape }: { shape: number[] }) => product + shape.reduce((a, b) => a * b, 4);
    expect(readFileSync(join(output, 'group1-shard1of1.bin')).length).toBe(
      model.weightsManifest[0].weights.reduce(size, 0),
    );
    const { stateSha256 } = summaryOf(run);
    expect(model.userDefinedMetadata).toEqual({ run: 'run', step: 40, stateSha256 });
  });

  it('writes the same again over an earlier export, and leaves other files alone', async () => {
    const before = Object.values(snapshot(output)).map((text) => text.split(' ')[0]);
    writeFileSync(join(output, 'notes.txt'), 'mine');
    writeFileSync(join(output, 'model.json'), 'old');
    expect(await succeed(['export', '--run', run, '--output', output])).toBe(
      `generator of step-00000040.safetensors (averaged weights) in ${output}: model.json, explorer.html\n`,
    );
    expect(readFileSync(join(output, 'notes.txt'), 'utf8')).toBe('mine');
    const { 'notes.txt': _, ...after } = snapshot(output);
    expect(Object.values(after).map((text) => text.split(' ')[0])).toEqual(before);
  });

  it('takes the checkpoint before an invalid one, and says so', async () => {
    const broken = scratch('broken');
    cpSync(run, broken, { recursive: true });
    truncateSync(checkpointPath(broken, 40), 5000);
    const ended = await ganglion(['export', '--run', broken, '--output', scratch('before')]);
    expect(ended.stderr).toMatch(/^ganglion: .*step-00000040.*; using the previous one\n$/);
    expect(ended).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('step-00000020') });
  });

  it('refuses in one line what it cannot use, and makes nothing', async () => {
    writeFileSync(scratch('file'), '');
    const wrong: [run: string, output: string, line: RegExp][] = [
      [run, scratch('file'), /--output .*file: expected a folder, or nothing there/],
      [run, scratch('file', 'below'), /--output .*below: expected a folder: not a directory/],
      [run, '', /--output : expected a folder, or nothing there/],
      [scratch('nowhere'), scratch('none'), /nowhere: no such folder/],
      [output, scratch('none'), /expected a valid checkpoint, got no checkpoint/],
    ];
    const before = filesBelow(scratch());
    for (const [from, to, line] of wrong) {
      const { exitCode, stdout, stderr } = await ganglion(['export', '--run', from, '--output', to]);
      expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 2, stdout: '', stderr: expect.stringMatching(line) });
      expect(stderr).toMatch(/^ganglion: [^\n]+\n$/);
    }
    expect((await ganglion(['export', '--run', run])).exitCode).toBe(2);
    expect(filesBelow(scratch())).toEqual(before);
  });
});

describe('model.json', () => {
  let server: Server;
  let tf: typeof core;
  let model: converter.GraphModel;

  beforeAll(async () => {
    server = createServer((request, response) => response.end(readFileSync(join(output, request.url ?? ''))));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    tf = require('@tensorflow/tfjs-core');
    require('@tensorflow/tfjs-backend-cpu');
    await tf.setBackend('cpu');
    const { loadGraphModel } = require('@tensorflow/tfjs-converter') as typeof converter;
    model = await loadGraphModel(`http://127.0.0.1:${(server.address() as AddressInfo).port}/model.json`);
  });

  afterAll(() => {
    model.dispose();
    server.close();
  });

  it('is loaded by tf.loadGraphModel, with z [-1, latent] and images [-1, 28, 28, 1]', () => {
    expect(model.inputs).toMatchObject([{ name: 'z', shape: [-1, 16], dtype: 'float32' }]);
    expect(model.outputs).toMatchObject([{ name: 'images', dtype: 'float32' }]);
    const sizes = model.modelSignature as { outputs: { images: { tensorShape: { dim: { size: string }[] } } } };
    expect(sizes.outputs.images.tensorShape.dim.map(({ size }) => Number(size))).toEqual([-1, 28, 28, 1]);
  });

  it.each([1, 5])('draws what ganglion sample draws, %i at a time', async (count) => {
    const { noiseOf } = await import('../../dashboards/explorer/latent.ts');
    const z = Array.from({ length: count }, (_, i) => Array.from(noiseOf(3, i, 16)));
    const tensors = tf.memory().numTensors;
    const images = tf.tidy(() => {
      const drawn = model.predict({ z: tf.tensor2d(z) }) as core.Tensor;
      expect(drawn.shape).toEqual([count, 28, 28, 1]);
      return drawn.dataSync();
    });
    expect(largestDifference(images, sampled.subarray(0, count * PIXELS))).toBeLessThan(ROUNDING);
    expect(tf.memory().numTensors).toBe(tensors);
  });
});
