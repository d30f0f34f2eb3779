import { describe, expect, it } from 'vitest';
import { fromFlags } from '../../../../coordinator/settings/settings.ts';
import { flagOf, SETTINGS, type SettingName } from '../../../../coordinator/settings/settings-table.ts';
import { errorOf } from '../../scratch.ts';

const flag = (name: SettingName, text: string) => fromFlags({ [name]: text })[name];

describe('fromFlags', () => {
  it('shows a number that is too large for a float as such', async () => {
    expect(await errorOf(() => flag('lr', '1e400'))).toBe(
      'usage: --lr: expected a number above 0, at most 1, got Infinity',
    );
  });

  it.each([
    ['workers', ['1', '64', 'auto'], ['0', '-1', '1.5', 'Auto', 'four', '']],
    ['isolation', ['thread', 'process', 'auto'], ['Thread', 'cluster', '1', '']],
    ['steps', ['1', '4294967295', '1e3'], ['0', '4294967296', '2.5', 'null']],
    ['epochs', ['1', '1000000'], ['0', '1000001']],
    ['batch', ['2', '8192'], ['1', '8193', '64.5']],
    ['shards', ['1', '256'], ['0', '257']],
    ['latent', ['1', '4096'], ['0', '4097']],
    ['seed', ['0', '9007199254740991'], ['-1', '9007199254740992', '9007199254740993', '0x10', '1_000']],
    ['lr', ['1', '2e-4', '.0002', '1e-300'], ['0', '-0.1', '1.01', 'Infinity', 'NaN', '1e400']],
    ['beta1', ['0', '0.5', '0.999999'], ['1', '-0.1', 'x']],
    ['beta2', ['0', '0.999'], ['1', '2']],
    ['epsilon', ['1e-8', '1'], ['0', '1.1']],
    ['data', ['mnist', '/x y', '12'], ['']],
    ['resize', ['fit', 'cover', 'stretch'], ['', 'Fit', 'crop']],
    ['transpose', ['on', 'off'], ['', 'true', '1']],
    ['invert', ['on', 'off'], ['', 'yes']],
    ['skipBroken', ['on', 'off'], ['', 'true']],
    ['background', ['black', 'white', '#ff8000', '#FF8000'], ['', 'red', '#fff', 'ff8000', '#ff80000', '#gggggg']],
    ['run', ['runs/a', '7'], ['']],
    [
      'checkpointEvery',
      ['1', '500', '1s', '30s', '5m'],
      ['0', 'off', '0s', '1.5s', '-1s', '30 s', '1h', 's', '030s', '30S'],
    ],
    ['samplesEvery', ['1'], ['0', 'epoch']],
    ['from', ['runs/a', '7'], ['']],
    ['keepBest', ['on', 'off'], ['', 'yes', '1']],
    ['ema', ['0', '0.999', 'off'], ['1', '-0.1', 'on']],
    ['lrG', ['0.0004', '1'], ['0', '-1', '1.5', 'off']],
    ['lrD', ['0.0004', '1'], ['0', '-1', '1.5', 'off']],
    ['lrDecay', ['off', 'linear', 'cosine'], ['on', 'Cosine', '0.5', '']],
    ['labelSmoothing', ['0', '0.1', '0.5'], ['-0.1', '0.51', 'off', '']],
    ['evaluateEvery', ['1', 'off'], ['0', 'on', '30s']],
    ['audit', ['0', '0.05', '1'], ['-0.1', '1.1', 'all']],
    ['pageReplicas', ['0', '1', '64'], ['-1', '65', '1.5', 'off']],
    ['pageAudit', ['0', '0.05', '1'], ['-0.1', '1.1', 'all']],
    ['maxRestarts', ['0', '20'], ['-1', '1.5', 'none']],
    ['maxShardLosses', ['0', '4'], ['-1', '1.5', 'none']],
    ['tensorboard', ['on', 'off'], ['', 'true', '1']],
    ['metricsPort', ['0', '65535', 'off'], ['65536', '-1', 'on', '80.5']],
    [
      'allowedHosts',
      ['gan.example.org', '.example.org,b', 'a, b.', 'trainer', 'm\u00fcnchen.example', 'a_b.example'],
      ['', ',', 'a,', '.', 'http://a.example', 'a.example:80', '*.example.org', 'a b', 'a/b', 'é/b', '-a', 'a..b'],
    ],
    ['basePath', ['/gan', '/user/ann/proxy/9556/', '/~a.b-c'], ['', '/', 'gan', '//a', '/a?b', '/a b', '/%2e']],
  ] as const)('--%s takes %j and refuses %j', async (name, accepted, refused) => {
    for (const text of accepted) {
      const value = ['data', 'run', 'from'].includes(name) || Number.isNaN(Number(text)) ? text : Number(text);
      expect(flag(name, text), text).toBe(value);
    }
    for (const text of refused) {
      const got = Number.isNaN(Number(text)) || text === '' || /[x_]|Infinity/.test(text) ? text : Number(text);
      const shown = Number.isFinite(got) || typeof got === 'string' ? JSON.stringify(got) : String(got);
      const { expected } = SETTINGS[name];
      expect(await errorOf(() => flag(name, text)), text).toBe(
        `usage: ${flagOf(name)}: expected ${expected}, got ${shown}`,
      );
    }
  });

  it('shows what time between checkpoints was expected', async () => {
    expect(await errorOf(() => flag('checkpointEvery', '1.5s'))).toBe(
      'usage: --checkpoint-every: expected a whole number of steps of at least 1, or whole seconds or minutes such as ' +
        '30s or 5m, got "1.5s"',
    );
  });

  it('takes only flags that were given', () => {
    expect(fromFlags({})).toEqual({});
    expect(fromFlags({ batch: '64', run: 'a' })).toEqual({ batch: 64, run: 'a' });
  });
});
