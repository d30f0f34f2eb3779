import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../../../coordinator/checkpoints/checkpoint.ts';
import { toDataset } from '../../../../coordinator/data/dataset.ts';
import {
  checkResumable,
  type RunConfig,
  readStoredConfig,
  type StoredRunConfig,
  storedConfig,
  toRunConfig,
} from '../../../../coordinator/run-folder/run-config.ts';
import { mergeSettings } from '../../../../coordinator/settings/settings.ts';
import { emptyState } from '../../../../coordinator/training/state.ts';
import { ARITHMETIC } from '../../../../shared/arithmetic.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';

const DATASET = toDataset('two digits', new Uint8Array(2 * 784), Uint8Array.of(3, 4), [28, 28, 1]);
const GIVEN = { steps: 60, seed: 7, imageSize: 28, channels: 1 } as const;
const CONFIG = toRunConfig(mergeSettings(GIVEN), DATASET);
const STORED: StoredRunConfig = { ...CONFIG, chosenBackend: 'wasm' };

function checkpointWith(config: string): Checkpoint {
  return { path: 'a.safetensors', state: emptyState(dcgan28(1)), emaSha256: null, stateSha256: '', config };
}

describe('toRunConfig', () => {
  it('adds the format, the arithmetic and the identity of the data to the settings', () => {
    const { apiToken: _, ...settings } = mergeSettings(GIVEN);
    expect(CONFIG).toEqual({
      format: 2,
      arithmetic: ARITHMETIC,
      ...settings,
      dataName: 'two digits',
      dataSha256: DATASET.sha256,
      dataPreparation: null,
    });
  });
});

describe('the API token', () => {
  it('is in no config, also where someone has written it into one', () => {
    expect(toRunConfig(mergeSettings({ ...GIVEN, apiToken: 's3cret' }), DATASET)).toEqual(CONFIG);
    expect(storedConfig(checkpointWith(JSON.stringify({ ...STORED, apiToken: 's3cret' })))).toEqual(STORED);
  });
});

describe('storedConfig', () => {
  it('reads what a run stores', () => {
    expect(storedConfig(checkpointWith(JSON.stringify(STORED)))).toEqual(STORED);
  });

  it('gives a run of an earlier version the defaults of settings that came later', () => {
    const {
      format: _f,
      arithmetic: _n,
      isolation: _i,
      audit: _a,
      samplesEvery: _s,
      imageSize: _is,
      channels: _ch,
      width: _w,
      backend: _b,
      chosenBackend: _c,
      ...earlier
    } = STORED;
    expect(storedConfig(checkpointWith(JSON.stringify(earlier)))).toEqual({
      ...CONFIG,
      arithmetic: 1,
      backend: 'auto',
      chosenBackend: 'cpu', // there was no other
      isolation: 'auto',
      audit: 0,
      samplesEvery: null,
    });
  });

  const without = (name: keyof RunConfig) => JSON.stringify({ ...CONFIG, [name]: undefined });
  it.each([
    ['no JSON', '{'],
    ['no object', '5'],
    ['null', 'null'],
    ['no name of the data', without('dataName')],
    ['no hash of the data', without('dataSha256')],
    ['no seed', without('seed')],
    ['an unknown setting', JSON.stringify({ ...CONFIG, other: 1 })],
    ['a wrong value', JSON.stringify({ ...CONFIG, batch: 'many' })],
    ['a wrong arithmetic', JSON.stringify({ ...STORED, arithmetic: 'two' })],
    ['an unknown backend', JSON.stringify({ ...STORED, chosenBackend: 'gpu' })],
  ])('refuses %s', async (_, config) => {
    expect(await errorOf(() => storedConfig(checkpointWith(config)))).toBe(
      'checkpoint: a.safetensors: its config cannot be read',
    );
  });
});

it('a later format is refused by its number', async () => {
  const config = JSON.stringify({ ...STORED, format: 3 });
  expect(await errorOf(() => storedConfig(checkpointWith(config)))).toBe(
    'checkpoint: a.safetensors: expected format 2 of its config, got 3: a newer Ganglion has written it',
  );
});

describe('a config without a format', () => {
  const { format: _, chosenBackend: __, ...unnumbered } = STORED;
  /** The config of a run, and what it has written of its engine. */
  function stored(config: object, engine?: string) {
    const run = scratchFolder();
    if (engine !== undefined) writeFileSync(join(run, 'summary.json'), JSON.stringify({ backend: engine }));
    writeFileSync(join(run, 'config.json'), JSON.stringify({ ...unnumbered, ...config }));
    const { backend, chosenBackend } = readStoredConfig(join(run, 'config.json'));
    const path = join(run, 'checkpoints', 'a.safetensors');
    const checkpoint = { ...checkpointWith(JSON.stringify({ ...unnumbered, ...config })), path };
    expect(storedConfig(checkpoint)).toMatchObject({ backend, chosenBackend });
    return [backend, chosenBackend];
  }

  it.each([
    [{ backend: 'cpu', ranOn: 'cpu' }, 'tfjs-cpu', ['js', 'js']],
    [{ backend: 'native', ranOn: 'native' }, undefined, ['cpu', 'cpu']],
    [{ backend: 'native', ranOn: 'native' }, 'kernels-avx512', ['cpu', 'cpu']],
    [{ backend: 'native', ranOn: 'native' }, 'tensorflow-cpu', ['tensorflow', 'tensorflow']],
    [{ backend: 'auto', ranOn: 'native' }, 'tensorflow-cpu', ['auto', 'tensorflow']],
    [{ backend: 'auto', ranOn: 'wasm' }, 'tfjs-wasm', ['auto', 'wasm']],
  ])('%o, computed by %s, reads as %o', (config, engine, names) => {
    expect(stored(config, engine)).toEqual(names);
  });

  it('keeps its names in one with a format', () => {
    for (const name of ['cpu', 'js', 'tensorflow'] as const) {
      const config = { ...STORED, backend: name, chosenBackend: name };
      expect(storedConfig(checkpointWith(JSON.stringify(config)))).toEqual(config);
      const { chosenBackend, ...others } = config;
      const former = { ...others, ranOn: chosenBackend };
      expect(storedConfig(checkpointWith(JSON.stringify(former)))).toEqual(config);
    }
  });
});

it('refuses a model of another size than the config says', async () => {
  const config = JSON.stringify({ ...STORED, imageSize: 64 });
  expect(await errorOf(() => storedConfig(checkpointWith(config)))).toBe(
    'checkpoint: a.safetensors: expected a model of images of 64 pixels in 1 channels, as its config says, got 28 pixels in 1',
  );
});

describe('readStoredConfig', () => {
  it('reads config.json as a run wrote it, and says why it cannot', async () => {
    const path = join(scratchFolder(), 'config.json');
    expect(await errorOf(() => readStoredConfig(path))).toBe(
      `checkpoint: cannot read ${path}: no such file or directory`,
    );
    writeFileSync(path, JSON.stringify(STORED));
    expect(readStoredConfig(path)).toEqual(STORED);
    writeFileSync(path, '{}');
    expect(await errorOf(() => readStoredConfig(path))).toBe(`checkpoint: ${path}: its config cannot be read`);
  });
});

describe('checkResumable', () => {
  it('says nothing of images that another size has changed', async () => {
    const now = { ...CONFIG, imageSize: 32, dataSha256: 'f'.repeat(64) } as const;
    expect(await errorOf(() => checkResumable(CONFIG, now, 78))).toBe(
      'config: cannot resume with another --image-size 32 (the run has 28)',
    );
  });

  it('accepts another cluster, length, place and rhythm', () => {
    expect(() => checkResumable(CONFIG, CONFIG, 78)).not.toThrow();
    const now: RunConfig = {
      ...CONFIG,
      workers: 2,
      steps: null,
      epochs: 9,
      data: 'elsewhere',
      run: 'moved',
      checkpointEvery: 1,
      samplesEvery: 2,
      metricsPort: 'off',
      backend: 'wasm',
      audit: 1,
      maxRestarts: 3,
      fault: 'faults.json',
      dataName: 'the same, called otherwise',
    };
    expect(() => checkResumable(CONFIG, now, 78)).not.toThrow();
  });

  it.each([
    ['batch', 64, '--batch 64 (the run has 128)'],
    ['shards', 2, '--shards 2 (the run has 4)'],
    ['latent', 64, '--latent 64 (the run has 100)'],
    ['imageSize', 64, '--image-size 64 (the run has 28)'],
    ['channels', 3, '--channels 3 (the run has 1)'],
    ['width', 2, '--width 2 (the run has 1)'],
    ['seed', 8, '--seed 8 (the run has 7)'],
    ['lr', 0.1, '--lr 0.1 (the run has 0.0002)'],
    ['beta1', 0.9, '--beta1 0.9 (the run has 0.5)'],
    ['beta2', 0.99, '--beta2 0.99 (the run has 0.999)'],
    ['epsilon', 0.001, '--epsilon 0.001 (the run has 1e-8)'],
    ['lrDecay', 'cosine', '--lr-decay cosine (the run has off)'],
    ['labelSmoothing', 0.1, '--label-smoothing 0.1 (the run has 0)'],
  ] as const)('refuses another %s', async (name, value, message) => {
    expect(await errorOf(() => checkResumable(CONFIG, { ...CONFIG, [name]: value }, 78))).toBe(
      `config: cannot resume with another ${message}`,
    );
  });

  it('refuses another end where the rate falls towards it, however it is given', async () => {
    const decaying = { ...CONFIG, steps: null, epochs: 2, lrDecay: 'cosine' as const };
    expect(() => checkResumable(decaying, { ...decaying, steps: 156, epochs: null }, 78)).not.toThrow();
    expect(await errorOf(() => checkResumable(decaying, { ...decaying, epochs: 3 }, 78))).toBe(
      "config: cannot resume with another end: 234 total steps (--lr-decay cosine comes to 0 after the run's 156; branch off with --from)",
    );
  });

  it('names every difference at once, the data by its name and the beginning of its hash', async () => {
    const other = toDataset('other digits', new Uint8Array(2 * 784).fill(1), Uint8Array.of(3, 4), [28, 28, 1]);
    const now = { ...toRunConfig(mergeSettings({ ...GIVEN, seed: 8, batch: 64 }), other) };
    const hash = (sha256: string) => sha256.slice(0, 12);
    expect(await errorOf(() => checkResumable(CONFIG, now, 78))).toBe(
      'config: cannot resume with another --batch 64 (the run has 128); another --seed 8 (the run has 7); another ' +
        `--data: other digits, SHA-256 ${hash(other.sha256)} (the run has two digits, ${hash(DATASET.sha256)})`,
    );
  });
});
