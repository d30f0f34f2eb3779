// Which settings a run shows, and which nowhere.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { filesBelow, SMALL, scratchFolder, succeed } from './ganglion.ts';

const scratch = scratchFolder('shown-settings');

it('--dry-run prints the whole config and makes nothing', async () => {
  const cwd = scratch('empty');
  mkdirSync(cwd);
  const config = JSON.parse(await succeed(['train', '--steps', '9', '--dry-run'], { cwd }));
  expect(Object.keys(config).sort()).toEqual(
    [
      'allowedHosts',
      'arithmetic',
      'audit',
      'backend',
      'background',
      'basePath',
      'batch',
      'beta1',
      'beta2',
      'channels',
      'checkpointEvery',
      'data',
      'dataName',
      'dataPreparation',
      'dataSha256',
      'devices',
      'ema',
      'epochs',
      'epsilon',
      'evaluateEvery',
      'fault',
      'format',
      'from',
      'imageSize',
      'invert',
      'isolation',
      'keep',
      'keepBest',
    ].concat([
      'labelSmoothing',
      'latent',
      'lr',
      'lrD',
      'lrDecay',
      'lrG',
      'maxRestarts',
      'maxShardLosses',
      'maxSkipped',
      'metricsPort',
      'pageAudit',
      'pageReplicas',
      'resize',
      'run',
      'samplesEvery',
      'seed',
      'shards',
      'skipBroken',
      'steps',
      'tensorboard',
      'totalSteps',
      'transpose',
      'width',
      'workers',
    ]),
  );
  expect(config).toMatchObject({
    steps: 9,
    totalSteps: 9,
    batch: 128,
    shards: 4,
    latent: 100,
    imageSize: 28,
    channels: 1,
    beta1: 0.5,
    beta2: 0.999,
  });
  expect(filesBelow(cwd)).toEqual([]);
});

it('writes and shows the API token nowhere, whichever way it is given', async () => {
  const [flag, variable, file] = ['token-by-flag', 'token-by-variable', 'token-by-file'];
  writeFileSync(scratch('token.json'), JSON.stringify({ apiToken: file }));
  const given = ['--config', scratch('token.json')];
  const env = { GANGLION_API_TOKEN: variable };
  const quiet = scratch('quiet');
  let said = await succeed(['train', ...SMALL, ...given, '--steps', '1', '--run', quiet], { env });
  said += await succeed(['train', ...given, '--api-token', flag, '--steps', '2', '--resume', quiet], { env });
  said += await succeed(['train', ...given, '--api-token', flag, '--dry-run'], { env });
  const files = filesBelow(quiet);
  expect(files).toEqual(expect.arrayContaining(['config.json', 'checkpoints/step-00000002.safetensors']));
  for (const name of files) said += readFileSync(join(quiet, name), 'latin1');
  expect(said).toContain('"checkpointEvery"'); // so a setting would be seen
  expect(said).not.toMatch(/token/i);
});
