// Training on a node that is not the first: it computes its shards, and leaves nothing behind.
import { setTimeout as delay } from 'node:timers/promises';
import type { Devices } from '../../shared/device.ts';
import { GanglionError } from '../../shared/error.ts';
import { together } from '../nodes/messages.ts';
import { checkSame, receiveProposal, settingsHere, shareState } from '../run/agreement.ts';
import { Node } from '../run/node.ts';
import { type PlanHost, planTraining, type TrainingPlan } from '../run/plan-run.ts';
import type { Programs } from '../run/programs.ts';
import { type DeviceSettings, placeOn } from '../run/resolve-devices.ts';
import { noticeSink } from '../run/run-sinks.ts';
import type { StopSwitch } from '../run/stop.ts';
import { type StoredRunConfig, toRunConfig } from '../run-folder/run-config.ts';
import { mergeSettings } from '../settings/settings.ts';
import type { Settings } from '../settings/settings-table.ts';
import type { Communicator } from '../training/communicator.ts';
import type { TrainingState } from '../training/state.ts';
import type { StepRecord } from '../training/trainer.ts';

/** The first node writes a checkpoint when the nodes fall apart; the job may end with its first process that ends. */
const GRACE_MS = 5_000;

export interface MemberHost extends PlanHost {
  readonly nodes: Communicator;
  readonly programs: Programs;
  readonly stop: StopSwitch;
  readonly chooseDevices: (settings: DeviceSettings) => Promise<Devices>;
  readonly onNotice: (message: string) => void;
}

export interface MemberTraining {
  readonly node: Node;
  readonly state: TrainingState;
  readonly config: StoredRunConfig;
  readonly devices: Devices;
  readonly totalSteps: number;
  readonly train: (onStep: (record: StepRecord) => Promise<void>) => Promise<void>;
}

/**
 * Gets what the first node is about to train, and prepares it here.
 *
 * @param layers settings that were given to this node
 * @returns undefined when there is nothing to train
 * @throws GanglionError when any node cannot
 */
export async function joinTraining(
  layers: readonly Partial<Settings>[],
  host: MemberHost,
): Promise<MemberTraining | undefined> {
  const { nodes, programs, stop, onNotice } = host;
  await together(nodes, async () => {}); // the first node plans
  const proposal = await receiveProposal(nodes);
  if (!proposal) return undefined;
  const { plan, placed } = await together(nodes, async () => {
    const settings = settingsHere(proposal, Object.assign({}, ...layers));
    const plan = await planTraining(mergeSettings(settings, { fault: null }), undefined, host);
    const config = toRunConfig(plan.settings, plan.dataset);
    const placed = placeOn(await host.chooseDevices(plan.settings), { ...plan, config });
    checkSame(proposal, { dataset: plan.dataset, backend: placed.config.chosenBackend });
    return { plan, placed };
  });
  const { state } = plan;
  const { totalSteps } = proposal;
  await shareState(nodes, state);
  const node = new Node({
    ...partOf(plan),
    ...placed,
    ...{ totalSteps, programs, communicator: nodes },
    emit: noticeSink(onNotice).observe,
  });
  const train = async (commit: (record: StepRecord) => Promise<void>): Promise<void> => {
    try {
      await together(nodes, () => node.start());
      await together(nodes, () => node.train({ shouldStop: () => stop.requested, commit }));
    } catch (error) {
      if (error instanceof GanglionError && error.code === 'nodes') await delay(GRACE_MS);
      throw error;
    } finally {
      await node.stop();
    }
  };
  return { node, state, config: placed.config, devices: placed.devices, totalSteps, train };
}

function partOf({ dataset, state, faults }: TrainingPlan) {
  return { dataset, state, faults };
}
