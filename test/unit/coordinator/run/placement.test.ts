import { expect, it } from 'vitest';
import { isLoss, MOST_FAILED_STARTS, Placement, whyGivenUp } from '../../../../coordinator/run/placement.ts';
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

it('counts the starts that fail on a device in a row', () => {
  const placement = new Placement(parseDevices('cuda:0,cuda:1'), () => ({ backend: 'cpu' }));
  const [one, other] = parseDevices('cuda:0,cuda:1');
  if (!other) throw new Error('two devices');
  const failTimes = (count: number) => Array.from({ length: count }, () => placement.countStart(one, true)).at(-1);
  expect([failTimes(MOST_FAILED_STARTS - 1), placement.countStart(other, true)]).toEqual([false, false]);
  expect([placement.countStart(one, false), failTimes(MOST_FAILED_STARTS - 1), failTimes(1)]).toEqual([
    false,
    false,
    true,
  ]);
});

it.each([
  ['replica 1 failed: graphLaunch: CUDA_ERROR_LAUNCH_FAILED (719)', true],
  ["replica 1 failed: NVIDIA's driver does not start: init: CUDA_ERROR_NO_DEVICE (100); there is no GPU", true],
  ['replica 1 failed: memAlloc: unknown error (9999)', true],
  ["replica 1 failed: NVIDIA's driver finds no GPU", true],
  ['replica 1 failed: cuda:1: expected a GPU that can be used here (cuda:0)', true],
  ['replica 1 failed: the GPU has not answered for 60 s', true],
  ['replica 1 failed: the GPU does not answer', true],
  ["replica 1 failed: NVIDIA's driver does not start: it has not answered for 60 s", true],
  ['replica 1 failed: memAlloc: CUDA_ERROR_OUT_OF_MEMORY (2)', false],
  ['replica 1 missed a deadline: start after 120 s', false],
  ['replica 1 crashed: Worker initialization failure: EAGAIN', false],
])('a replica that does not start with "%s": its GPU is lost: %s', (message, isLost) => {
  expect(isLoss(new Error(message))).toBe(isLost);
});

it.each([
  ['memAlloc: CUDA_ERROR_OUT_OF_MEMORY (2)', 'is full'],
  ['graphLaunch: CUDA_ERROR_LAUNCH_FAILED (719)', 'is lost'],
  ['crashed: Worker initialization failure: EAGAIN', 'starts no replica'],
])('a GPU that is given up for "%s" %s', (message, what) => {
  expect(whyGivenUp(new Error(message))).toBe(`${what}: ${message}`);
});
