import { describe, expect, it } from 'vitest';
import {
  defaultSettings,
  fromConfigObject,
  fromEnvironment,
  fromFlags,
  mergeSettings,
} from '../../../../coordinator/settings/settings.ts';
import {
  flagOf,
  IMMUTABLE_SETTINGS,
  SETTING_NAMES,
  SETTINGS,
  type SettingName,
  toMilliseconds,
} from '../../../../coordinator/settings/settings-table.ts';
import { errorOf } from '../../scratch.ts';

const flag = (name: SettingName, text: string) => fromFlags({ [name]: text })[name];

describe('SETTINGS', () => {
  it('has a flag of its own for every setting, spelt as the setting', () => {
    expect(flagOf('checkpointEvery')).toBe('--checkpoint-every');
    expect(flagOf('lr')).toBe('--lr');
    expect(new Set(SETTING_NAMES.map(flagOf)).size).toBe(SETTING_NAMES.length);
  });

  it('fixes the model, the optimiser and the seed for the life of a run, and nothing of the cluster', () => {
    expect(IMMUTABLE_SETTINGS).toEqual([
      'batch',
      'shards',
      'latent',
      'imageSize',
      'channels',
      'width',
      'seed',
      'lr',
      'lrG',
      'lrD',
      'lrDecay',
      'labelSmoothing',
      'beta1',
      'beta2',
      'epsilon',
      'ema',
      'from',
    ]);
  });

  it("has DCGAN's defaults", () => {
    expect(defaultSettings()).toEqual({
      workers: 'auto',
      isolation: 'auto',
      backend: 'auto',
      devices: 'auto',
      steps: null,
      epochs: 30,
      batch: 128,
      shards: 4,
      latent: 100,
      imageSize: 'auto',
      channels: 'auto',
      width: 1,
      seed: 1,
      lr: 2e-4,
      beta1: 0.5,
      beta2: 0.999,
      epsilon: 1e-8,
      data: null,
      resize: 'fit',
      transpose: 'off',
      invert: 'off',
      background: 'black',
      skipBroken: 'off',
      run: null,
      checkpointEvery: 500,
      keep: 'all',
      from: null,
      keepBest: 'off',
      ema: 0.99,
      lrG: null,
      lrD: null,
      lrDecay: 'off',
      labelSmoothing: 0,
      samplesEvery: null,
      evaluateEvery: null,
      maxRestarts: 20,
      maxShardLosses: 4,
      maxSkipped: 10,
      audit: 0,
      tensorboard: 'on',
      metricsPort: 9464,
      allowedHosts: null,
      basePath: null,
      apiToken: null,
      pageReplicas: 0,
      pageAudit: 1,
      fault: null,
    });
    expect(mergeSettings()).toEqual(defaultSettings());
  });
});

describe('toMilliseconds', () => {
  it('knows seconds and minutes', () => {
    expect([toMilliseconds('1s'), toMilliseconds('30s'), toMilliseconds('5m')]).toEqual([1000, 30_000, 300_000]);
  });
});

describe('fromConfigObject', () => {
  it('takes the settings of a config file, also null where it means the default', () => {
    const value = { batch: 64, steps: null, data: null, workers: 'auto', metricsPort: 'off', checkpointEvery: '30s' };
    expect(fromConfigObject(value, 'c.json')).toEqual(value);
  });

  it.each([
    [{ batch: '64' }, 'c.json: batch: expected a whole number from 2 to 8192, got "64"'],
    [{ batch: null }, 'c.json: batch: expected a whole number from 2 to 8192, got null'],
    [
      { checkpointEvery: '500' },
      'c.json: checkpointEvery: expected a whole number of steps of at least 1, or whole seconds or minutes such as 30s or 5m, got "500"',
    ],
    [{ data: 5 }, 'c.json: data: expected a folder or a file, got 5'],
    [{ lr: [] }, 'c.json: lr: expected a number above 0, at most 1, got []'],
    [{ bach: 64 }, /^config: c\.json: unknown setting bach; known: workers, isolation, .*, fault$/],
    [JSON.parse('{"__proto__": 1}'), /^config: c\.json: unknown setting __proto__;/],
    [[], 'c.json: expected an object of settings, got []'],
    [null, 'c.json: expected an object of settings, got null'],
    ['x', 'c.json: expected an object of settings, got "x"'],
  ])('refuses %j', async (value, message) => {
    const error = await errorOf(() => fromConfigObject(value, 'c.json'));
    if (typeof message === 'string') expect(error).toBe(`config: ${message}`);
    else expect(error).toMatch(message);
  });
});

describe('the API token', () => {
  const refused = 'expected ASCII letters, digits and signs without blanks, got something else, which is not shown';

  it('comes from a flag, a config file or the environment, as it is written', () => {
    expect(flag('apiToken', '0123')).toBe('0123');
    expect(fromConfigObject({ apiToken: 'x~!' }, 'c.json')).toEqual({ apiToken: 'x~!' });
    expect(fromEnvironment({ GANGLION_API_TOKEN: '1e3', PATH: '/bin' })).toEqual({ apiToken: '1e3' });
    expect(fromEnvironment({})).toEqual({});
    expect(fromEnvironment({ GANGLION_API_TOKEN: '' })).toEqual({});
  });

  it.each(['two words', '', 'tab\t', 'é', 'line\n'])('refuses %j without showing it', async (token) => {
    expect(await errorOf(() => flag('apiToken', token))).toBe(`usage: --api-token: ${refused}`);
    const inFile = () => fromConfigObject({ apiToken: token }, 'c.json');
    expect(await errorOf(inFile)).toBe(`config: c.json: apiToken: ${refused}`);
    if (token === '') return;
    expect(await errorOf(() => fromEnvironment({ GANGLION_API_TOKEN: token }))).toBe(
      `usage: GANGLION_API_TOKEN: ${refused}`,
    );
  });

  it('is not among the settings that are stored', () => {
    expect(SETTING_NAMES.filter((name) => SETTINGS[name].secret)).toEqual(['apiToken']);
  });
});

describe('the backend', () => {
  const expected = 'expected auto, cpu, cuda, tensorflow, wasm, webgpu or js';

  it('comes from a flag, a config file or the environment', () => {
    expect(defaultSettings().backend).toBe('auto');
    for (const backend of ['auto', 'cpu', 'cuda', 'tensorflow', 'wasm', 'webgpu', 'js']) {
      expect(flag('backend', backend)).toBe(backend);
      expect(fromConfigObject({ backend }, 'c.json')).toEqual({ backend });
      expect(fromEnvironment({ GANGLION_BACKEND: backend })).toEqual({ backend });
    }
    expect(flag('backend', 'native')).toBe('cpu'); // its former name
    expect(fromConfigObject({ backend: 'native' }, 'c.json')).toEqual({ backend: 'cpu' });
    expect(fromEnvironment({ GANGLION_BACKEND: '', GANGLION_API_TOKEN: 'x' })).toEqual({ apiToken: 'x' });
  });

  it.each(['', 'WASM', 'gpu', '1'])('refuses %j, and says what there is', async (backend) => {
    const got = /^\d+$/.test(backend) ? backend : JSON.stringify(backend);
    expect(await errorOf(() => flag('backend', backend))).toBe(`usage: --backend: ${expected}, got ${got}`);
    const inFile = () => fromConfigObject({ backend }, 'c.json');
    expect(await errorOf(inFile)).toBe(`config: c.json: backend: ${expected}, got ${JSON.stringify(backend)}`);
    if (backend === '') return;
    expect(await errorOf(() => fromEnvironment({ GANGLION_BACKEND: backend }))).toBe(
      `usage: GANGLION_BACKEND: ${expected}, got ${JSON.stringify(backend)}`,
    );
  });
});

describe('mergeSettings', () => {
  it('lets later layers win', () => {
    const settings = mergeSettings({ batch: 64, seed: 5 }, { batch: 32 }, { lr: 0.1 });
    expect(settings).toEqual({ ...defaultSettings(), batch: 32, seed: 5, lr: 0.1 });
  });

  it('steps drop the epochs of earlier layers, and the reverse', () => {
    expect(mergeSettings({ steps: 60 })).toMatchObject({ steps: 60, epochs: null });
    expect(mergeSettings({ steps: 60 }, { epochs: 2 })).toMatchObject({ steps: null, epochs: 2 });
    expect(mergeSettings({ epochs: 2 }, { steps: 60 })).toMatchObject({ steps: 60, epochs: null });
    // As config.json holds them, and as the later layer says nothing.
    expect(mergeSettings({ steps: 60, epochs: null }, { batch: 64 })).toMatchObject({ steps: 60, epochs: null });
    expect(mergeSettings({ steps: null, epochs: 3 })).toMatchObject({ steps: null, epochs: 3 });
  });

  it('a backend drops the devices of earlier layers, and the reverse', () => {
    expect(mergeSettings({ devices: 'cuda:0,cpu' })).toMatchObject({ backend: 'auto', devices: 'cuda:0,cpu' });
    expect(mergeSettings({ devices: 'cuda:0' }, { backend: 'cpu' })).toMatchObject({ backend: 'cpu', devices: 'auto' });
    expect(mergeSettings({ backend: 'wasm' }, { devices: 'cpu' })).toMatchObject({ backend: 'auto', devices: 'cpu' });
    expect(mergeSettings({ backend: 'auto', devices: 'cpu' })).toMatchObject({ backend: 'auto', devices: 'cpu' });
  });

  it.each([
    [[{ steps: 1, epochs: 1 }], 'give --steps or --epochs, not both'],
    [
      [{ keepBest: 'on' as const, evaluateEvery: 'off' as const }],
      '--keep-best on: expected evaluations, got --evaluate-every off',
    ],
    [[{ backend: 'cpu' as const, devices: 'cuda:0' }], 'give --backend or --devices, not both'],
    [[{ devices: 'cpu,cpu' }, { workers: 1 }], '--workers 1: expected at least 2, one for each of --devices cpu,cpu'],
    [
      [{ shards: 2, devices: 'cpu,cpu,cuda:0' }],
      '--devices: expected at most 2, the number of shards, got 3 (see --shards)',
    ],
    [[{ steps: null, epochs: null }], 'expected steps or epochs, got neither'],
    [[{ batch: 100, shards: 3 }], '--batch 100 cannot be cut into 3 equal shards (--shards)'],
    [[{ batch: 4 }], '--batch 4 with --shards 4: expected at least 2 images a shard (BatchNorm)'],
    [
      [{ shards: 2 }, { workers: 3 }],
      '--workers 3: expected at most 2, the number of shards; more could have no work (see --shards)',
    ],
  ])('refuses %j', async (layers, message) => {
    expect(await errorOf(() => mergeSettings(...layers))).toBe(`usage: ${message}`);
  });

  it('accepts the extremes: two images a shard, a worker a shard', () => {
    expect(mergeSettings({ batch: 8, shards: 4, workers: 4 })).toMatchObject({ batch: 8, shards: 4, workers: 4 });
    expect(mergeSettings({ shards: 1, workers: 'auto' })).toMatchObject({ shards: 1, workers: 'auto' });
  });
});
