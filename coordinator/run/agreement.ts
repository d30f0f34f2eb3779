// What several nodes must agree on before they train: the first one says what is trained, the others compare, and get its state.
import { z } from 'zod';
import { BACKENDS, type Backend, ONE_ARITHMETIC } from '../../shared/backend.ts';
import { backendOf, type Devices } from '../../shared/device.ts';
import { GanglionError } from '../../shared/error.ts';
import { stateSha256 } from '../checkpoints/checkpoint.ts';
import type { Dataset } from '../data/dataset.ts';
import { VERSION } from '../machine/version.ts';
import { refuse, sendToAll, share, together } from '../nodes/messages.ts';
import { storedParts } from '../run-folder/run-config.ts';
import { fromConfigObject, mergeSettings } from '../settings/settings.ts';
import { flagOf, IMMUTABLE_SETTINGS, type Settings } from '../settings/settings-table.ts';
import type { Communicator } from '../training/communicator.ts';
import { countersOf, NETS, type NetCounters, setCounters, type TrainingState } from '../training/state.ts';
import type { TrainingPlan } from './plan-run.ts';
import type { RunPlan } from './run-plan.ts';
import { handOutData } from './share-data.ts';

/** What the first node is about to train. */
export interface Proposal {
  readonly settings: Partial<Settings>;
  readonly path: string;
  readonly totalSteps: number;
  readonly dataName: string;
  readonly dataSha256: string;
  readonly backend: Backend;
  /** Whether that computes on GPUs. */
  readonly onGpus: boolean;
  /** Steps of the profile that it writes. */
  readonly profileSteps: number | null;
}

const Message = z.object({
  version: z.string(),
  settings: z.record(z.string(), z.unknown()),
  path: z.string(),
  totalSteps: z.int(),
  dataName: z.string(),
  dataSha256: z.string(),
  backend: z.enum(BACKENDS),
  onGpus: z.boolean(),
  profileSteps: z.int().nullable(),
});

/** Whether this node owns the run's folder, the terminal and the page. */
export function isFirst({ node, members }: Communicator): boolean {
  return node === members[0];
}

/** @throws GanglionError `usage` when there are more nodes than shards, or pages beside several nodes */
export function checkNodes(
  { members }: Communicator,
  { shards, pageReplicas }: Pick<Settings, 'shards' | 'pageReplicas'>,
): void {
  if (members.length > 1 && pageReplicas > 0)
    throw new GanglionError('usage', `--page-replicas ${pageReplicas}: expected one node, got ${members.length}`);
  if (members.length <= shards) return;
  const message = `${members.length} nodes: expected at most one a shard, and there are ${shards} (--shards)`;
  throw new GanglionError('usage', message);
}

type ProposedPlan = Pick<RunPlan, 'config' | 'devices' | 'path' | 'totalSteps' | 'profile' | 'apiToken'> &
  Pick<TrainingPlan, 'autoWorkers'>;

/** Every node counts its own workers where that is left to Ganglion. */
export function toProposal(plan: ProposedPlan): Proposal {
  const { config, devices, path, totalSteps, autoWorkers, profile, apiToken } = plan;
  const stored = { ...config, ...(autoWorkers && { workers: 'auto' }) };
  const { settings } = storedParts(stored, path, path);
  const { dataName, dataSha256 } = config;
  const profileSteps = profile?.steps ?? null;
  const all = { ...fromConfigObject(settings, path), ...(apiToken !== null && { apiToken }) };
  return { settings: all, path, totalSteps, dataName, dataSha256, ...computingOf(devices), profileSteps };
}

/**
 * The first node's part: proposes, and hands out its images, where they are wanted, and its state.
 *
 * @param proposal undefined when there is nothing to train
 * @throws GanglionError when another node cannot train that
 */
export async function propose(
  nodes: Communicator,
  proposal: Proposal | undefined,
  plan: { readonly state: TrainingState; readonly dataset: Dataset } | undefined,
): Promise<void> {
  if (nodes.members.length === 1) return;
  const message = proposal && { version: VERSION, ...proposal };
  await sendToAll(nodes, new TextEncoder().encode(JSON.stringify(message ?? null)));
  if (!plan) return;
  await together(nodes, async () => {}); // the others compare
  await handOutData(nodes, plan.dataset);
  await together(nodes, async () => {}); // the others plan
  await shareState(nodes, plan.state);
}

/** Waits for the first node's proposal; undefined when there is nothing to train. @throws GanglionError */
export async function receiveProposal(nodes: Communicator): Promise<Proposal | undefined> {
  const text = new TextDecoder().decode(await sendToAll(nodes, new Uint8Array()));
  const told: unknown = JSON.parse(text);
  if (told === null) return undefined;
  const { version } = z.object({ version: z.string() }).parse(told);
  if (version !== VERSION) {
    // Whatever else it says may mean something else.
    return await together(nodes, async () => {
      throw new GanglionError('environment', `it is Ganglion ${VERSION}, node ${nodes.members[0]} is ${version}`);
    });
  }
  const { settings, version: _, ...proposal } = Message.parse(told);
  return { ...proposal, settings: fromConfigObject(settings, 'the first node') };
}

/**
 * Settings of this node: those of the first one, but for what was given here and does not change what is trained. Where the first weights
 * come from is the first one's affair: it hands out its state, and the path may not be there here.
 *
 * @throws GanglionError `config` that names what was given here and would
 */
export function settingsHere({ settings }: Proposal, given: Partial<Settings>): Settings {
  // What is left to Ganglion, as the size of images, the first one has decided.
  const own = Object.entries(given).filter(([name, value]) => value !== 'auto' || !isImmutable(name));
  const here: Partial<Settings> = { ...Object.fromEntries(own), from: null };
  const shared = { ...settings, from: null };
  const differences = IMMUTABLE_SETTINGS.filter((name) => here[name] !== undefined && here[name] !== shared[name]);
  if (differences.length > 0) {
    const texts = differences.map((name) => `${flagOf(name)} ${here[name]} (the first node has ${shared[name]})`);
    throw new GanglionError('config', `cannot train with another ${texts.join('; another ')}`);
  }
  return mergeSettings(shared, here);
}

function isImmutable(name: string): boolean {
  return IMMUTABLE_SETTINGS.some((other) => other === name);
}

/** What devices compute with, as nodes compare it. */
function computingOf(devices: Devices): Pick<Proposal, 'backend' | 'onGpus'> {
  return { backend: backendOf(devices), onGpus: devices.some(({ gpu }) => gpu !== undefined) };
}

/** @throws GanglionError when this node would train on other data, or with other arithmetic */
export function checkSame(
  { dataName, dataSha256, ...proposed }: Proposal,
  { dataset, devices }: { readonly dataset: Dataset; readonly devices: Devices },
): void {
  if (dataset.sha256 !== dataSha256) {
    const got = `${dataset.name}, SHA-256 ${dataset.sha256.slice(0, 12)}`;
    throw new GanglionError('data', `its data is ${got} (the first node has ${dataName}, ${dataSha256.slice(0, 12)})`);
  }
  const isOwn = (name: Backend): boolean => ONE_ARITHMETIC.includes(name);
  const own = computingOf(devices);
  if (isOwn(own.backend) && isOwn(proposed.backend)) return;
  const isBackend = own.backend === proposed.backend;
  if (isBackend && own.onGpus === proposed.onGpus) return;
  const show = ({ backend, onGpus }: Pick<Proposal, 'backend' | 'onGpus'>): string =>
    isBackend ? `${backend} on ${onGpus ? 'a GPU' : 'the CPU'}` : backend;
  const expected = isBackend ? 'GPUs on all or on none' : 'one --backend for all';
  const message = `it computes on ${show(own)}, the first node on ${show(proposed)}: they have other bits; expected ${expected}`;
  throw new GanglionError('config', message);
}

/** Gives all nodes the first one's state. @throws GanglionError when one has another nevertheless */
export async function shareState(nodes: Communicator, state: TrainingState): Promise<void> {
  const numbers = NETS.map((net) => countersOf(state[net]));
  const told = new TextEncoder().encode(JSON.stringify({ step: state.step, numbers }));
  const { step, numbers: given } = StateNumbers.parse(
    JSON.parse(new TextDecoder().decode(await sendToAll(nodes, told))),
  );
  state.step = step;
  for (const [i, net] of NETS.entries()) {
    setCounters(state[net], given[i] as NetCounters);
  }
  for (const array of arraysOf(state)) {
    const { buffer, byteOffset, byteLength } = array;
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    bytes.set(await sendToAll(nodes, bytes));
  }
  const hashes = await share(nodes, stateSha256(state));
  const other = hashes.findIndex((hash) => hash !== hashes[0]);
  if (other >= 0) refuse(nodes, 'environment', `node ${nodes.members[other]} got another state than it was sent`);
}

const StateNumbers = z.object({
  step: z.int(),
  numbers: z.array(
    z.object({
      beta1Power: z.number(),
      beta2Power: z.number(),
      batchesTracked: z.int(),
      skippedInARow: z.int(),
    }),
  ),
});

function arraysOf(state: TrainingState): Float32Array[] {
  const nets = NETS.flatMap((net) => {
    const { parameters, adam, statistics } = state[net];
    return [parameters, adam.m, adam.v, statistics];
  });
  return state.average ? [...nets, state.average.parameters, state.average.statistics] : nets;
}
