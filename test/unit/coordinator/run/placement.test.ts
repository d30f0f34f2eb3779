import { expect, it } from 'vitest';
import { Placement } from '../../../../coordinator/run/placement.ts';
import { parseDevices, showDevices } from '../../../../shared/device.ts';

const show = (placement: Placement, ids: readonly number[]): string[] =>
  ids.map((id) => showDevices([placement.of(id)]));

it('gives devices in turn, then those that are left, then the spare one', () => {
  const placement = new Placement(parseDevices('cuda:0,cuda:1,cpu'), () => ({ backend: 'wasm' }));
  expect(show(placement, [0, 1, 2, 3])).toEqual(['cuda:0', 'cuda:1', 'cpu', 'cuda:0']);
  placement.lose({ backend: 'cuda', gpu: 1 });
  placement.lose({ backend: 'cuda', gpu: 1 });
  expect([show(placement, [0, 1, 2]), placement.text]).toEqual([['cuda:0', 'cpu', 'cuda:0'], 'cuda:0,cpu']);
  placement.lose({ backend: 'cuda', gpu: 0 });
  placement.lose({ backend: 'cpu' });
  expect([show(placement, [0, 5]), placement.text]).toEqual([['wasm', 'wasm'], 'wasm']);
});
