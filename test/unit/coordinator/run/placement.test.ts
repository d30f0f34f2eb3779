import { expect, it } from 'vitest';
import { isLoss, Placement } from '../../../../coordinator/run/placement.ts';
import { parseDevices, showDevices } from '../../../../shared/device.ts';

const show = (placement: Placement, ids: readonly number[]): string[] =>
  ids.map((id) => showDevices([placement.of(id)]));

it('gives devices in turn, then those that are left, then the spare one', () => {
  const placement = new Placement(parseDevices('cuda:0,cuda:1,cpu'), () => ({ backend: 'wasm' }));
  expect(show(placement, [0, 1, 2, 3])).toEqual(['cuda:0', 'cuda:1', 'cpu', 'cuda:0']);
  expect(showDevices([placement.drawing])).toBe('cuda:0');
  placement.lose({ backend: 'cuda', gpu: 1 });
  placement.lose({ backend: 'cuda', gpu: 1 });
  expect([show(placement, [0, 1, 2]), placement.text]).toEqual([['cuda:0', 'cpu', 'cuda:0'], 'cuda:0,cpu']);
  placement.lose({ backend: 'cuda', gpu: 0 });
  expect(showDevices([placement.drawing])).toBe('cpu');
  placement.lose({ backend: 'cpu' });
  expect([show(placement, [0, 5]), placement.text]).toEqual([['wasm', 'wasm'], 'wasm']);
  expect(placement.drawing).toEqual(placement.spare);
});

it.each([
  ['replica 1 failed: graphLaunch: CUDA_ERROR_LAUNCH_FAILED (719)', true],
  ["replica 1 failed: NVIDIA's driver does not start: init: CUDA_ERROR_NO_DEVICE (100); there is no GPU", true],
  ['replica 1 failed: memAlloc: unknown error (9999)', true],
  ["replica 1 failed: NVIDIA's driver finds no GPU", true],
  ['replica 1 failed: cuda:1: expected a GPU that can be used here (cuda:0)', true],
  ['replica 1 failed: memAlloc: CUDA_ERROR_OUT_OF_MEMORY (2)', false],
  ['replica 1 missed a deadline: start after 120 s', false],
  ['replica 1 crashed: Worker initialization failure: EAGAIN', false],
])('a replica that does not start with "%s": its GPU is lost: %s', (message, isLost) => {
  expect(isLoss(new Error(message))).toBe(isLost);
});
