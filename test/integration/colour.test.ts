// A set in colour from its files to the samples: one state by every road, and a run keeps the size that it was begun with.
import { mkdirSync, readFileSync } from 'node:fs';
import { PNG } from 'pngjs';
import { expect, it } from 'vitest';
import { writePngSync } from '../../coordinator/images/png.ts';
import { writeFiles } from '../unit/coordinator/data/idx-bytes.ts';
import { ganglion, scratchFolder, succeed, summaryOf } from './ganglion.ts';

const scratch = scratchFolder('colour');
const [COUNT, SIDE] = [16, 30];
const SIZE = SIDE * SIDE * 3;
const IMAGES = Uint8Array.from({ length: COUNT * SIZE }, (_, i) => (i * 31 + Math.floor(i / SIZE) * 57) % 256);
const TINY = ['--workers', '1', '--batch', '8', '--shards', '2', '--latent', '4', '--width', '0.25'];
const HOST = ['--metrics-port', 'off', '--evaluate-every', 'off'];

const configOf = (run: string) => JSON.parse(readFileSync(`${run}/config.json`, 'utf8'));

it('trains to one state from arrays and pictures, and goes on in its own size alone', async () => {
  const header = Buffer.of(0, 0, 8, 4, 0, 0, 0, COUNT, 0, 0, 0, SIDE, 0, 0, 0, SIDE, 0, 0, 0, 3);
  writeFiles(scratch(), { 'images-idx4-ubyte': Buffer.concat([header, IMAGES]) });
  mkdirSync(scratch('png'));
  for (let i = 0; i < COUNT; i++) {
    const pixels = IMAGES.subarray(i * SIZE, (i + 1) * SIZE);
    writePngSync(scratch('png', `${i}.png`), { width: SIDE, height: SIDE, pixels });
  }
  const [arrays, pictures] = [scratch('arrays'), scratch('pictures')];
  for (const [run, data] of [
    [arrays, scratch('images-idx4-ubyte')],
    [pictures, scratch('png')],
  ] as const) {
    await succeed(['train', ...TINY, ...HOST, '--steps', '2', '--samples-every', '2', '--data', data, '--run', run]);
    expect(configOf(run)).toMatchObject({
      imageSize: 32,
      channels: 3,
      width: 0.25,
      dataPreparation: '30 x 30 to 32 x 32 (fit on #000000)',
    });
  }
  expect(summaryOf(pictures).stateSha256).toBe(summaryOf(arrays).stateSha256);
  expect(configOf(pictures).dataSha256).toBe(configOf(arrays).dataSha256);

  const grid = PNG.sync.read(readFileSync(scratch('arrays', 'samples', 'step-00000002.png')));
  expect([grid.width, grid.height, (grid as { color?: boolean }).color]).toEqual([8 * 34 - 2, 8 * 34 - 2, true]);

  const refused = await ganglion(['train', '--resume', arrays, '--steps', '3', '--image-size', '64']);
  expect([refused.exitCode, refused.stderr]).toEqual([
    2,
    'ganglion: cannot resume with another --image-size 64 (the run has 32)\n',
  ]);
  await succeed(['train', '--resume', arrays, '--steps', '3', '--image-size', 'auto']);
  expect(summaryOf(arrays).step).toBe(3);

  // Drawn without another word: the checkpoint knows its size.
  await succeed(['sample', '--run', arrays, '--count', '1', '--output', scratch('one.png')]);
  expect(PNG.sync.read(readFileSync(scratch('one.png'))).width).toBe(32);
});
