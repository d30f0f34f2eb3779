import { describe, expect, it } from 'vitest';
import { stateSha256 } from '../../../../coordinator/checkpoints/checkpoint.ts';
import { together } from '../../../../coordinator/nodes/messages.ts';
import {
  checkSame,
  type Proposal,
  propose,
  receiveProposal,
  settingsHere,
  shareState,
  toProposal,
} from '../../../../coordinator/run/agreement.ts';
import { receiveData } from '../../../../coordinator/run/share-data.ts';
import { toRunConfig } from '../../../../coordinator/run-folder/run-config.ts';
import { defaultSettings, mergeSettings } from '../../../../coordinator/settings/settings.ts';
import { initialState } from '../../../../coordinator/training/state.ts';
import { parseDevices } from '../../../../shared/device.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { localNodes } from '../training/local-nodes.ts';
import { DATASET, LATENT } from '../training/stub-computer.ts';

const { apiToken: _, ...SETTINGS } = { ...defaultSettings(), workers: 1, latent: LATENT };
const PROPOSAL: Proposal = {
  settings: SETTINGS,
  path: '/runs/a',
  totalSteps: 9,
  dataName: DATASET.name,
  dataSha256: DATASET.sha256,
  backend: 'cpu',
  onGpus: false,
  profileSteps: null,
};

/** What a proposal is made of, beside config and token. */
const PLAN = { devices: parseDevices('cpu'), path: '/runs/a', totalSteps: 9, autoWorkers: false, profile: null };

function twoNodes() {
  const [first, second] = localNodes(2);
  if (!first || !second) throw new Error('two nodes');
  return { first, second };
}

describe('a proposal', () => {
  it('reaches the other nodes, with the state', async () => {
    const { first, second } = twoNodes();
    const [state, other] = [initialState(dcgan28(LATENT), 1, true), initialState(dcgan28(LATENT), 2, true)];
    Object.assign(state, { step: 5 });
    Object.assign(state.generator, { skippedInARow: 2, batchesTracked: 7 });
    state.generator.adam.beta1Power = 0.1 + 0.2;
    const member = async () => {
      const got = await receiveProposal(second);
      await together(second, async () => {});
      expect(await receiveData(second, false)).toBeUndefined();
      await together(second, async () => {});
      await shareState(second, other);
      return got;
    };
    const [, got] = await Promise.all([propose(first, PROPOSAL, { state, dataset: DATASET }), member()]);
    expect(got).toEqual(PROPOSAL);
    expect(stateSha256(other)).toBe(stateSha256(state));
    expect(other).toEqual(state);
  });

  it('may be that there is nothing to train', async () => {
    const { first, second } = twoNodes();
    const [, got] = await Promise.all([propose(first, undefined, undefined), receiveProposal(second)]);
    expect(got).toBeUndefined();
  });
});

it('has the token of the run, which config.json has not, for what the other nodes serve', () => {
  const config = { ...toRunConfig(mergeSettings(SETTINGS), DATASET), chosenBackend: 'cpu' } as const;
  const plan = { ...PLAN, config, apiToken: 's3cret' };
  expect(settingsHere(toProposal(plan), {}).apiToken).toBe('s3cret');
  expect(settingsHere(toProposal({ ...plan, apiToken: null }), {}).apiToken).toBeNull();
  expect(settingsHere(toProposal(plan), { apiToken: 'own' }).apiToken).toBe('own');
});

describe('the settings of another node', () => {
  it('are those of the first one, but for what does not change the weights', () => {
    const settings = settingsHere(PROPOSAL, { workers: 3, seed: SETTINGS.seed });
    expect(settings).toMatchObject({ workers: 3, batch: SETTINGS.batch });
  });

  it('take the shape that the first one has found, where it is left open', () => {
    const decided = { ...PROPOSAL, settings: { ...SETTINGS, imageSize: 64, channels: 3 } as const };
    const left = { imageSize: 'auto', channels: 'auto', workers: 'auto' } as const;
    expect(settingsHere(decided, left)).toMatchObject({ imageSize: 64, channels: 3, workers: 'auto' });
    expect(() => settingsHere(decided, { imageSize: 32 })).toThrow('another --image-size 32 (the first node has 64)');
  });

  it('have no weights to begin with: the state comes from the first one', () => {
    const proposal = { ...PROPOSAL, settings: { ...SETTINGS, from: '/runs/other' } };
    expect(settingsHere(proposal, { from: 'other' }).from).toBeNull();
    expect(settingsHere(proposal, {}).from).toBeNull();
  });

  it('are refused when they would change the weights', () => {
    expect(() => settingsHere(PROPOSAL, { batch: 60, seed: 3 })).toThrow(
      'cannot train with another --batch 60 (the first node has 128); another --seed 3 (the first node has 1)',
    );
  });
});

describe('data and arithmetic', () => {
  it('may be the same on another backend', () => {
    for (const name of ['cpu', 'wasm', 'cuda:0,cpu'])
      checkSame(PROPOSAL, { dataset: DATASET, devices: parseDevices(name) });
  });

  it('are refused when they differ', () => {
    const other = { ...DATASET, sha256: 'f'.repeat(64) };
    expect(() => checkSame(PROPOSAL, { dataset: other, devices: parseDevices('cpu') })).toThrow(
      /its data is ten, SHA-256 ffffffffffff/,
    );
    expect(() => checkSame(PROPOSAL, { dataset: DATASET, devices: parseDevices('js') })).toThrow(
      'it computes on js, the first node on cpu: they have other bits; expected one --backend for all',
    );
  });

  it('are refused where TensorFlow computes on a GPU here and on the CPU there', () => {
    const [cpu, gpu] = [[{ backend: 'tensorflow' }] as const, parseDevices('tensorflow:1')];
    for (const devices of [cpu, gpu]) {
      const config = { ...toRunConfig(mergeSettings(SETTINGS), DATASET), chosenBackend: 'tensorflow' } as const;
      const proposal = toProposal({ ...PLAN, config, devices, apiToken: null });
      checkSame(proposal, { dataset: DATASET, devices });
      const other = devices === cpu ? gpu : cpu;
      const places = devices === cpu ? ['a GPU', 'the CPU'] : ['the CPU', 'a GPU'];
      expect(() => checkSame(proposal, { dataset: DATASET, devices: other })).toThrow(
        `it computes on tensorflow on ${places[0]}, the first node on tensorflow on ${places[1]}: they have other bits; expected GPUs on all or on none`,
      );
    }
  });
});
