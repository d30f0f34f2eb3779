// `ganglion evaluate`: figures of a run and of a checkpoint file, from its own data alone.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  checkpointPath,
  filesBelow,
  ganglion,
  reached,
  SMALL,
  scratchFolder,
  snapshot,
  startGanglion,
  succeed,
  summaryOf,
} from './ganglion.ts';

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
    expect(figures).toMatchObject({ step: 3, weights: 'ema', count: 40, recall: 0 });
    expect(figures.frechetDistance).toBeGreaterThan(10 * figures.floor);
    expect(figures.classShares).toHaveLength(10);
    expect(snapshot(run)).toEqual(before);
  });

  it('says for people what the figures are', async () => {
    const said = await succeed(['evaluate', run, '--count', '40']);
    expect(said).toContain('40 samples of step-00000003.safetensors (ema weights), beside 10,000 training images');
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

describe('evaluations beside training', () => {
  it('are the same for any number of workers, also through a kill, and never change the weights', async () => {
    const args = ['--steps', '16', '--checkpoint-every', '4', '--keep', '1'];
    const best = ['--evaluate-every', '6', '--keep-best'];
    const [off, whole, killed] = ['off', 'whole', 'killed'].map((name) => scratch(name)) as [string, string, string];
    await succeed(['train', ...SMALL, ...args, '--workers', '1', '--evaluate-every', 'off', '--run', off]);
    await succeed(['train', ...SMALL, ...args, '--workers', '4', ...best, '--run', whole]);
    const running = startGanglion([...['train', ...SMALL, ...args, '--workers', '2'], ...[...best, '--run', killed]]);
    await reached(running, killed, 9);
    running.child.kill('SIGKILL');
    await running.ended;
    await succeed(['train', '--resume', killed, ...best]);
    const logOf = (path: string): string => readFileSync(join(path, 'evaluations.jsonl'), 'utf8');
    expect(logOf(whole).match(/"step":\d+/g)).toEqual(['"step":6', '"step":12', '"step":16']);
    expect(logOf(killed)).toBe(logOf(whole));
    const bestOf = (path: string): string => `checkpoints/${summaryOf(path).bestCheckpoint}`;
    expect(bestOf(killed)).toBe(bestOf(whole));
    const newest = 'checkpoints/step-00000016.safetensors';
    for (const path of [whole, killed])
      expect(filesBelow(path).filter((name) => name.startsWith('checkpoints/'))).toEqual(
        [...new Set([bestOf(path), newest])].sort(),
      );
    expect(filesBelow(off)).not.toContain('evaluations.jsonl');
    for (const path of [whole, killed]) expect(summaryOf(path).stateSha256).toBe(summaryOf(off).stateSha256);
  });

  it('do not hold up a stop: its checkpoint is there before the figures, which come after it', async () => {
    const path = scratch('stopped');
    // Against the 10,000 real images, of which the cache knows nothing yet, an evaluation takes seconds.
    const emptyCache = { GANGLION_CACHE: scratch('empty-cache') };
    const flags = ['--backend', 'wasm', '--steps', '100000', '--evaluate-every', '2', '--checkpoint-every', '3'];
    const running = startGanglion(['train', ...SMALL, ...flags, '--run', path], { env: emptyCache });
    await reached(running, path, 2);
    running.child.kill('SIGTERM');
    const checkpoints = (): string[] => filesBelow(path).filter((name) => /step-0*[1-9]\d*\.safetensors$/.test(name));
    while (checkpoints().length === 0) await delay(5);
    const log = (): string => readFileSync(join(path, 'evaluations.jsonl'), 'utf8');
    expect(log()).toBe('');
    expect((await running.ended).exitCode).toBe(0);
    expect(log()).toMatch(/^\{"step":2,/);
  });
});
