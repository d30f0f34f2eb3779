import { expect, it } from 'vitest';
import { DeviceState } from '../../../../coordinator/training/device-state.ts';
import { initialState } from '../../../../coordinator/training/state.ts';
import { train } from '../../../../coordinator/training/trainer.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { LATENT, trainerOptions } from './stub-computer.ts';
import { StubDevice } from './stub-device.ts';

/** Trains until `failure`, with which the device is lost. @returns what training threw, and why the device was lost */
async function lostWith(failure: unknown): Promise<[thrown: unknown, lost: GanglionError | undefined]> {
  const state = initialState(dcgan28(LATENT), 1);
  const own = new StubDevice();
  const device = new DeviceState(state, own);
  const shouldStop = (): never => {
    own.isLost = true;
    device.look();
    throw failure;
  };
  const thrown = await train(trainerOptions({ state, device, shouldStop })).catch((error: unknown) => error);
  return [thrown, device.lost];
}

it('the loss of the device is why training ended, where only replicas have failed before it was known', async () => {
  const [thrown, lost] = await lostWith(new GanglionError('faults', '21 replicas lost'));
  expect(lost?.message).toBe('the GPU that holds the state is lost: launch failed');
  expect(thrown).toBe(lost);
});

it('a loss beside another failure does not hide it', async () => {
  const failure = new GanglionError('environment', 'no space left on the disk');
  const [thrown, lost] = await lostWith(failure);
  expect([thrown, lost?.code]).toEqual([failure, 'faults']);
});
