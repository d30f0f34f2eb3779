// `ganglion evaluate`: figures of a run and of a checkpoint file, from its own data alone.
import { mkdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkpointPath, filesBelow, ganglion, SMALL, scratchFolder, snapshot, succeed } from './ganglion.ts';

const scratch = scratchFolder('evaluate');
const run = scratch('run');
const env = { GANGLION_CACHE: scratch('cache') };

beforeAll(async () => {
  await succeed(['train', ...SMALL, '--steps', '3', '--run', run]);
});

describe('evaluate', () => {
  it('gives the same figures for a run and its newest checkpoint, and keeps the reference in the cache', async () => {
    const before = snapshot(run);
    // js: the cache of this test has no kernels
    const args = ['--backend', 'js', '--count', '40', '--json'];
    const first = await succeed(['evaluate', run, ...args], { env });
    expect(filesBelow(scratch('cache'))).toEqual([
      expect.stringMatching(/^judge\/[0-9a-f]+-[0-9a-f]+-40-1\.safetensors$/),
    ]);
    expect(await succeed(['evaluate', checkpointPath(run, 3), ...args], { env })).toBe(first);
    const figures = JSON.parse(first);
    expect(Object.keys(figures)).toEqual(
      expect.arrayContaining([
        ...['step', 'weights', 'count', 'frechetDistance', 'floor', 'precision', 'recall'],
        ...['classShares', 'totalVariation', 'confidence'],
      ]),
    );
    expect(figures).toMatchObject({ step: 3, weights: 'raw', count: 40, recall: 0 });
    expect(figures.frechetDistance).toBeGreaterThan(10 * figures.floor);
    expect(figures.classShares).toHaveLength(10);
    expect(snapshot(run)).toEqual(before);
  });

  it('says for people what the figures are', async () => {
    const said = await succeed(['evaluate', run, '--count', '40']);
    expect(said).toContain('40 samples of step-00000003.safetensors (raw weights), beside 10,000 training images');
    expect(said).toMatch(/Fréchet distance +\d+\.\d{3} {2}\(\d\.\d{3} between real images, of 40;/);
    expect(said).toMatch(/nearest training image +0\.\d{3} away/);
  });

  it('refuses data that the run was not trained on, and what is no data', async () => {
    mkdirSync(scratch('empty'));
    const ended = await ganglion(['evaluate', run, '--data', scratch('empty')]);
    expect(ended).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: expect.stringMatching(/^ganglion: .*empty.*\n$/),
    });
  });
});
