import { expect, it } from 'vitest';
import { placeOn } from '../../../../coordinator/run/resolve-devices.ts';
import { toRunConfig } from '../../../../coordinator/run-folder/run-config.ts';
import { mergeSettings } from '../../../../coordinator/settings/settings.ts';
import { parseDevices } from '../../../../shared/device.ts';
import { DATASET } from '../training/stub-computer.ts';

const place = (devices: string, isolation: 'auto' | 'thread' | 'process' = 'auto', autoWorkers = true) =>
  placeOn(parseDevices(devices), {
    config: toRunConfig(mergeSettings({ isolation }), DATASET),
    workers: 3,
    autoWorkers,
  });

it.each(['cuda', 'tensorflow'])('GPUs of %s have a worker each, unless the number was given', (name) => {
  expect(place(`${name}:0,${name}:1`).workers).toBe(2);
  expect(place(`${name}:0,${name}:1`, 'auto', false).workers).toBe(3);
});

it('other devices leave the number of workers', () => {
  expect(place('cpu').workers).toBe(3);
});

it('refuses threads that would share a GPU of TensorFlow', () => {
  expect(() => place('tensorflow:0', 'thread')).toThrow(/^--isolation thread: expected process or auto/);
  expect(place('tensorflow:0', 'process').config.chosenBackend).toBe('tensorflow');
});
