import { expect, it } from 'vitest';
import { createReplicas } from '../../../../coordinator/run/node-replicas.ts';
import { Placement } from '../../../../coordinator/run/placement.ts';
import type { RunEvent } from '../../../../coordinator/run-folder/run-event.ts';
import { mergeSettings } from '../../../../coordinator/settings/settings.ts';
import { DeviceState } from '../../../../coordinator/training/device-state.ts';
import { initialState } from '../../../../coordinator/training/state.ts';
import { parseDevices } from '../../../../shared/device.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { DATASET, LATENT } from '../training/stub-computer.ts';
import { StubDevice } from '../training/stub-device.ts';

it.each(['with', 'without'])(
  'a replica that cannot be started %s the state on its GPU is no loss of that',
  async (state) => {
    const [devices, host] = [parseDevices('cuda:0'), initialState(dcgan28(LATENT), 1)];
    const placement = new Placement(devices, () => ({ backend: 'cpu' }));
    const held = state === 'with' ? new DeviceState(host, new StubDevice()) : undefined;
    const events: RunEvent[] = [];
    const entry = new URL('missing.mjs', import.meta.url);
    const replicas = createReplicas(
      {
        config: { ...mergeSettings({ batch: 8, shards: 4 }), isolation: 'thread' },
        ...{ devices, workers: 1, dataset: DATASET, state: host, totalSteps: 1 },
        programs: { threadEntry: entry, processEntry: entry, updateEntry: entry },
        emit: (event) => events.push(event),
      },
      1,
      { devices: placement, state: held, hasStarted: true },
    );
    await expect(replicas.start()).rejects.toThrow(/missing\.mjs/);
    expect([placement.text, held?.lost, events]).toEqual(['cuda:0', undefined, []]);
  },
);
