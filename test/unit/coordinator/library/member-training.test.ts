import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { joinTraining } from '../../../../coordinator/library/member-training.ts';
import { together } from '../../../../coordinator/nodes/messages.ts';
import { propose } from '../../../../coordinator/run/agreement.ts';
import { Node } from '../../../../coordinator/run/node.ts';
import { PROGRAMS } from '../../../../coordinator/run/programs.ts';
import { StopSwitch } from '../../../../coordinator/run/stop.ts';
import { defaultSettings } from '../../../../coordinator/settings/settings.ts';
import type { Communicator } from '../../../../coordinator/training/communicator.ts';
import { initialState } from '../../../../coordinator/training/state.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { type Death, localNodes } from '../training/local-nodes.ts';
import { DATASET, LATENT } from '../training/stub-computer.ts';

// How long a node waits with its end is not the point.
vi.mock('node:timers/promises', async (original) => ({ ...(await original<object>()), setTimeout: async () => {} }));

const { apiToken: _, ...DEFAULTS } = defaultSettings();
const GIVEN = { workers: 1, batch: 8, shards: 4, latent: LATENT, data: '/none', metricsPort: 'off' } as const;
const PROPOSAL = {
  settings: { ...DEFAULTS, ...GIVEN, imageSize: 28, channels: 1 } as const,
  path: '/runs/none',
  totalSteps: 9,
  dataName: DATASET.name,
  dataSha256: DATASET.sha256,
  backend: 'js',
  onGpus: false,
  profileSteps: null,
} as const;
const NOTHING = async (): Promise<void> => {};

/** What the first node does until it has trained. */
async function lead(nodes: Communicator, metricsPort: number | 'off'): Promise<void> {
  await together(nodes, NOTHING); // it plans
  const proposal = { ...PROPOSAL, settings: { ...PROPOSAL.settings, metricsPort } };
  await propose(nodes, proposal, { state: initialState(dcgan28(LATENT), 1, true), dataset: DATASET });
  await together(nodes, NOTHING); // it opens the run
  await together(nodes, NOTHING); // it trains
}

interface Scene {
  readonly nodes?: number;
  readonly deaths?: readonly Death[];
  readonly metricsPort?: number | 'off';
}

/** Runs nodes to their ends. @returns how all but the first end, what they say, and how many operations the first has begun */
async function trainOn({ nodes: size = 3, deaths = [], metricsPort = 'off' }: Scene) {
  const [first, ...others] = localNodes(size, deaths);
  if (!first) throw new Error('a node');
  let operations = 0;
  const counted: Communicator = Object.assign(Object.create(first), {
    agree: () => {
      operations += 1;
      return first.agree();
    },
    broadcast: (...args: Parameters<Communicator['broadcast']>) => {
      operations += 1;
      return first.broadcast(...args);
    },
  });
  const said: string[] = [];
  const join = async (nodes: Communicator): Promise<unknown> => {
    const joined = await joinTraining([{}], {
      ...{ nodes, programs: PROGRAMS, stop: new StopSwitch(), onNotice: (text) => said.push(text) },
      chooseDevices: async () => [{ backend: 'js' }],
    });
    return await joined?.train(NOTHING);
  };
  const [, ...ends] = await Promise.allSettled([lead(counted, metricsPort), ...others.map(join)]);
  return { ends, said, operations };
}

beforeEach(() => {
  vi.spyOn(Node.prototype, 'start').mockResolvedValue();
  vi.spyOn(Node.prototype, 'train').mockResolvedValue();
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe('nodes', () => {
  const DONE = { status: 'fulfilled', value: undefined };

  it('train together', async () => {
    expect((await trainOn({})).ends).toEqual([DONE, DONE]);
  });

  it('train also where the port of another is taken: it says so', async () => {
    const server = createServer().listen(0, '::');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { ends, said } = await trainOn({ metricsPort: port });
    server.close();
    expect(ends).toEqual([DONE, DONE]);
    const text = `no metrics of this node: cannot listen on port ${port}: it is in use`;
    expect(said.filter((line) => line.startsWith(text))).toHaveLength(2);
  });

  it('end when the first is lost before training, wherever it was', async () => {
    const { operations } = await trainOn({});
    // Seven operations until all have told, two a message. The last seven are of the training, those before of its start.
    for (const at of [0, 6, 8, 15, 16, 22, 24, 25, 31, 42, 44, operations - 14, operations - 8]) {
      const { ends } = await trainOn({ deaths: [{ node: 0, at }] });
      const lost = { status: 'rejected', reason: { code: 'nodes', message: 'a node was lost before training' } };
      expect({ at, ends }).toMatchObject({ at, ends: [lost, lost] });
    }
  });

  it('have a third that writes when the second is lost as it takes the run over', async () => {
    const nodes = 5;
    const { operations } = await trainOn({ nodes });
    const training = operations - (2 * nodes + 1); // of the first, which dies then; the second has regrouped and ended a step
    const takingOver = training + 2 + 2 * (nodes - 1) + 1;
    const deaths = [
      { node: 0, at: training },
      { node: 1, at: takingOver },
    ];
    const { said, ends } = await trainOn({ nodes, deaths });
    expect(said).toEqual(expect.arrayContaining(['node 0 is lost; node 1 writes from step 0 on']));
    expect(said).toEqual(expect.arrayContaining(['node 1 is lost; node 2 writes from step 0 on']));
    // That has not the run's folder.
    const ended = { status: 'rejected', reason: { code: 'environment' } };
    expect(ends.slice(1)).toMatchObject([ended, ended, ended]);
  });
});
