// Training on a node that is not the first: it computes its shards, and writes only when the node that wrote is lost.
import { setTimeout as delay } from 'node:timers/promises';
import type { Devices } from '../../shared/device.ts';
import { GanglionError } from '../../shared/error.ts';
import { isHeldByOwnJob, type LockTicket, lockRunFolder, type RunLock } from '../files/run-lock.ts';
import type { Terminal } from '../monitoring/terminal.ts';
import { checkFirst, together } from '../nodes/messages.ts';
import { checkSame, isFirst, receiveProposal, settingsHere, shareState } from '../run/agreement.ts';
import { MemberSinks } from '../run/member-sinks.ts';
import { Node } from '../run/node.ts';
import { type PlanHost, planTraining, type TrainingPlan } from '../run/plan-run.ts';
import type { Programs } from '../run/programs.ts';
import { RecordedRun } from '../run/recorded-run.ts';
import { type DeviceSettings, placeOn } from '../run/resolve-devices.ts';
import type { RunHost, RunPlan } from '../run/run-plan.ts';
import { lacksData, receiveData } from '../run/share-data.ts';
import type { StopSwitch } from '../run/stop.ts';
import { type StoredRunConfig, toRunConfig } from '../run-folder/run-config.ts';
import { mergeSettings } from '../settings/settings.ts';
import type { Settings } from '../settings/settings-table.ts';
import type { Communicator } from '../training/communicator.ts';
import type { TrainingState } from '../training/state.ts';
import type { StepRecord } from '../training/trainer.ts';

/** The first node writes a checkpoint when the nodes fall apart; the job may end with its first process that ends. */
const GRACE_MS = 5_000;

/** Steps that the node which writes may not have logged when it is lost: some two, and more would do no harm. */
const NEWEST = 16;

type OnStep = (record: StepRecord) => Promise<void>;

export interface MemberHost extends PlanHost {
  readonly nodes: Communicator;
  readonly programs: Programs;
  readonly stop: StopSwitch;
  readonly chooseDevices: (settings: DeviceSettings) => Promise<Devices>;
  readonly onNotice: (message: string) => void;
  /** Shows the run to people, once this node writes. */
  readonly terminal?: (run: { readonly batch: number; readonly totalSteps: number }) => Terminal;
}

export interface MemberTraining {
  readonly node: Node;
  readonly state: TrainingState;
  readonly config: StoredRunConfig;
  readonly totalSteps: number;
  readonly train: (onStep: OnStep) => Promise<void>;
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
  const [first] = nodes.members;
  const togetherWithFirst = async <Result>(action: () => Promise<Result>): Promise<Result> => {
    const result = await together(nodes, action);
    checkFirst(nodes, first);
    return result;
  };
  await togetherWithFirst(async () => {}); // the first node plans
  const proposal = await receiveProposal(nodes);
  if (!proposal) return undefined;
  const settings = await togetherWithFirst(async () => settingsHere(proposal, Object.assign({}, ...layers)));
  const dataset = await receiveData(nodes, lacksData(settings));
  if (dataset) onNotice(`there is no ${settings.data} here; node ${nodes.members[0]} has sent ${dataset.name}`);
  const { plan, placed } = await togetherWithFirst(async () => {
    const plan = await planTraining(mergeSettings(settings, { fault: null }), undefined, { ...host, dataset });
    const config = toRunConfig({ ...plan.settings, from: proposal.settings.from ?? null }, plan.dataset);
    const placed = placeOn(await host.chooseDevices(plan.settings), { ...plan, config });
    checkSame(proposal, { dataset: plan.dataset, devices: placed.devices });
    return { plan, placed };
  });
  const { state } = plan;
  const { totalSteps, profileSteps } = proposal;
  await shareState(nodes, state);
  const allNodes = [...nodes.members];
  const { stepsPerEpoch } = plan;
  const sinks = new MemberSinks({
    ...{ config: placed.config, workers: placed.workers, path: proposal.path, totalSteps, stepsPerEpoch, onNotice },
    firstStep: state.step,
    ...{ replicas: () => node.replicas, gpus: () => node.gpus, backend: () => node.devices.drawing.backend },
    nodes: { communicator: nodes, all: allNodes },
    profileSteps,
  });
  const node = new Node({
    ...partOf(plan),
    ...placed,
    ...{ totalSteps, programs, communicator: nodes, emit: sinks.emit, tell: sinks.tell },
    profiled: profileSteps !== null,
  });
  const takeOver = (onStep: OnStep, missed: readonly StepRecord[]): Promise<void> => {
    const { dataset } = plan;
    const before = { backendBefore: null, arithmeticBefore: null, resumed: true, faults: null, profile: null };
    const planned = { ...placed, ...before, ...{ path: proposal.path, totalSteps, stepsPerEpoch, dataset, state } };
    return writeOn({ ...planned, apiToken: settings.apiToken }, { ...host, allNodes }, { onStep, missed });
  };
  const train = async (onStep: OnStep): Promise<void> => {
    const newest: StepRecord[] = [];
    const commit = async (record: StepRecord): Promise<void> => {
      sinks.emit({ kind: 'step', record, fromMs: performance.now() });
      newest.push(record);
      if (newest.length > NEWEST) newest.shift();
      await onStep(record);
    };
    let isProfiled = true; // where there is a profile, until the node that writes it is lost
    try {
      await togetherWithFirst(async () => {
        await sinks.serve(settings.apiToken, (count) => node.resize(count));
        await node.start();
      });
      sinks.emit({ kind: 'training' });
      let writer = first;
      for (;;) {
        await together(nodes, () => node.train({ shouldStop: () => stop.requested, commit }));
        if (nodes.members[0] === writer) return isProfiled ? await sinks.shareTrace() : undefined;
        isProfiled = false;
        // Another one may be lost while it opens the run's folder.
        while (nodes.members[0] !== writer) {
          if (isFirst(nodes)) {
            onNotice(`node ${writer} is lost; node ${nodes.node} writes from step ${state.step} on`);
            await node.stop();
            await sinks.close(); // the run's page takes the port
            return await takeOver(onStep, newest);
          }
          [writer] = nodes.members;
          await together(nodes, async () => {}); // the first one opens the run's folder
        }
      }
    } catch (error) {
      if (error instanceof GanglionError && error.code === 'nodes') await delay(GRACE_MS);
      throw error;
    } finally {
      await node.stop();
      await sinks.close();
    }
  };
  return { node, state, config: placed.config, totalSteps, train };
}

/** Goes on with the run's folder of a node that is lost. @throws GanglionError `nodes` when that lies elsewhere */
async function writeOn(
  plan: RunPlan,
  { nodes, allNodes, programs, stop, onNotice, terminal }: MemberHost & Pick<RunHost, 'allNodes'>,
  { onStep, missed }: Pick<RunHost, 'onStep' | 'missed'>,
): Promise<void> {
  const { path, config, totalSteps } = plan;
  let held: RunLock | undefined;
  const lock = async (): Promise<LockTicket> => {
    if (!isHeldByOwnJob(path)) {
      const message = `the node that wrote ${path} is lost, and that folder is not here; resume it where it is`;
      throw new GanglionError('environment', message);
    }
    held = await lockRunFolder(path, { onWait: onNotice });
    return held.ticket;
  };
  const shown = terminal ? { terminal: terminal({ batch: config.batch, totalSteps }) } : {};
  try {
    await new RecordedRun(plan, { nodes, allNodes, programs, stop, onNotice, lock, onStep, missed, ...shown }).run();
  } finally {
    held?.release();
  }
}

function partOf({ dataset, state, faults }: TrainingPlan) {
  return { dataset, state, faults };
}
