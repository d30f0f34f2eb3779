// One node of a training: a state, the replicas that compute its shards, the communicator that joins it to other nodes. It knows no
// folder, no HTTP and no terminal; it emits events.
import { type Devices, deviceOf } from '../../shared/device.ts';
import { messageOf } from '../../shared/error.ts';
import type { SampleJob } from '../../shared/protocol.ts';
import type { Dataset } from '../data/dataset.ts';
import type { FaultPlan } from '../replicas/fault-plan.ts';
import type { GroupObserver } from '../replicas/group-options.ts';
import { ReplicaGroup } from '../replicas/replica-group.ts';
import type { ReplicaStatus } from '../replicas/replica-status.ts';
import { startProcessReplica } from '../replicas/transports/process-replica.ts';
import { MemoryPool } from '../replicas/transports/thread-memory.ts';
import { startThreadReplica } from '../replicas/transports/thread-replica.ts';
import type { RunEvent } from '../run-folder/run-event.ts';
import type { Settings } from '../settings/settings-table.ts';
import { type Communicator, SINGLE_NODE } from '../training/communicator.ts';
import { type DeviceState, loadDeviceState } from '../training/device-state.ts';
import type { TrainingState } from '../training/state.ts';
import { type TrainerOptions, train } from '../training/trainer.ts';
import { javascriptKernels, loadKernels } from '../training/update.ts';
import type { Programs } from './programs.ts';

/** The settings of a node. */
export type NodeSettings = Pick<
  Settings,
  | 'isolation'
  | 'batch'
  | 'shards'
  | 'seed'
  | 'lr'
  | 'lrG'
  | 'lrD'
  | 'lrDecay'
  | 'labelSmoothing'
  | 'beta1'
  | 'beta2'
  | 'epsilon'
  | 'ema'
  | 'maxRestarts'
  | 'maxShardLosses'
  | 'maxSkipped'
  | 'audit'
>;

export interface NodeOptions {
  readonly config: NodeSettings;
  /** What the replicas compute on. */
  readonly devices: Devices;
  readonly workers: number;
  readonly dataset: Dataset;
  /** Changed in place by training. */
  readonly state: TrainingState;
  /** Steps done when training ends. */
  readonly totalSteps: number;
  readonly programs: Pick<Programs, 'threadEntry' | 'processEntry' | 'updateEntry'>;
  /** Default: this node is alone. */
  readonly communicator?: Communicator;
  /** Faults that a test of a cluster has planned. */
  readonly faults?: FaultPlan | null;
  /** Whether to give the events of a profile, of which there are many a step. */
  readonly profiled?: boolean;
  readonly emit: (event: RunEvent) => void;
  /** What this node has to tell the first one about itself. */
  readonly tell?: TrainerOptions['tell'];
}

/** Deadline for an answer of a replica, which is lost when it passes. */
const DEADLINE_MS = 120_000;

export class Node {
  readonly #options: NodeOptions;
  readonly #replicas: ReplicaGroup;
  /** What the replicas are started with. */
  readonly #place: { device?: DeviceState | undefined } = {};
  #kernels = javascriptKernels;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#replicas = createReplicas(options, this.#place);
  }

  /** Starts the replicas. @throws GanglionError when one does not start */
  async start(): Promise<void> {
    const { programs, emit, config, devices, state, communicator = SINGLE_NODE } = this.#options;
    // Replicas in threads share the memory of one GPU with the coordinator: results and state stay there. Several nodes add up on the host.
    const [first] = devices;
    const isOne = devices.every(({ backend, gpu }) => backend === 'cuda' && gpu === first.gpu);
    if (isOne && communicator.members.length === 1 && config.isolation !== 'process') {
      this.#place.device = await loadDeviceState(programs.updateEntry, first.gpu, state);
    }
    await this.#replicas.start();
    this.#kernels = await loadKernels(programs.updateEntry, (error) =>
      emit({ kind: 'notice', text: `the coordinator computes in JavaScript, to the same bits: ${messageOf(error)}` }),
    );
  }

  /** Trains until the last step or a stop. @throws GanglionError as `train` of training/trainer.ts */
  async train({ shouldStop, commit }: Pick<TrainerOptions, 'shouldStop' | 'commit'>): Promise<void> {
    const { config, state, dataset, totalSteps, communicator = SINGLE_NODE, profiled = false } = this.#options;
    const { emit, tell } = this.#options;
    const { node, members } = communicator;
    const isFirst = node === members[0];
    const adam = { beta1: config.beta1, beta2: config.beta2, epsilon: config.epsilon };
    await train({
      state,
      dataset,
      replicas: this.#replicas,
      communicator,
      adam: {
        generator: { ...adam, learningRate: config.lrG ?? config.lr },
        discriminator: { ...adam, learningRate: config.lrD ?? config.lr },
      },
      kernels: this.#kernels,
      device: this.#place.device,
      seed: config.seed,
      batch: config.batch,
      shards: config.shards,
      totalSteps,
      decay: config.lrDecay,
      maxSkipped: config.maxSkipped,
      ...(config.ema === 'off' ? {} : { ema: config.ema }),
      shouldStop,
      commit,
      onLost: (nodes) => {
        const { members: left } = communicator;
        if (node === left[0]) emit({ kind: 'nodesLost', nodes, left: left.length });
      },
      tell,
      onTold: isFirst ? (from, text) => emit({ kind: 'told', node: from, report: JSON.parse(text) }) : undefined,
      span: profiled ? (part, fromMs, toMs) => emit({ kind: 'span', part, fromMs, toMs }) : undefined,
    });
  }

  /** Draws images [count, pixels] in [-1, 1] with the present generator. */
  sample(job: SampleJob): Promise<Float32Array> {
    return this.#replicas.sample(job);
  }

  /** Changes the number of replicas. */
  resize(count: number): void {
    this.#options.emit({ kind: 'resized', from: this.#replicas.size, to: count });
    this.#replicas.resize(count);
  }

  /** Ends the replicas. */
  async stop(): Promise<void> {
    await this.#replicas.stop();
  }

  /** Target number of replicas. */
  get workers(): number {
    return this.#replicas.size;
  }

  get replicas(): readonly ReplicaStatus[] {
    return this.#replicas.status;
  }

  get restarts(): number {
    return this.#replicas.restarts;
  }

  /** What the replicas compute with, once they have started. */
  get computing(): ReplicaGroup['computing'] {
    return this.#replicas.computing;
  }
}

function createReplicas(options: NodeOptions, place: { readonly device?: DeviceState | undefined }): ReplicaGroup {
  const { config, devices, state, workers, dataset, faults, programs, profiled = false, emit } = options;
  const { images } = dataset;
  const setup = {
    shardSize: config.batch / config.shards,
    spec: state.spec,
    seed: config.seed,
    shards: config.shards,
    realLabel: Math.fround(1 - config.labelSmoothing),
    parameters: { generator: state.generator.parameters, discriminator: state.discriminator.parameters },
  };
  const givenTo = (id: number) => ({ setup: { ...setup, ...deviceOf(devices, id) }, images, deadlineMs: DEADLINE_MS });
  let pool: MemoryPool | undefined;
  const startThread = (id: number) => {
    const { device } = place;
    pool ??= new MemoryPool(state.spec, setup.shardSize, device?.device);
    const { setup: own, ...given } = givenTo(id);
    const parameters = device?.parameters ?? own.parameters;
    return startThreadReplica(id, { ...given, setup: { ...own, parameters }, entry: programs.threadEntry, pool });
  };
  return new ReplicaGroup({
    count: workers,
    start: (id) =>
      config.isolation === 'process'
        ? startProcessReplica(id, { ...givenTo(id), entry: programs.processEntry })
        : startThread(id),
    observer: toObserver(emit, profiled),
    maxRestarts: config.maxRestarts,
    maxShardLosses: config.maxShardLosses,
    audit: config.audit,
    faults: faults ? (shard, replica) => faults.take(shard, replica) : undefined,
  });
}

/** Turns what the replicas report into events. */
function toObserver(emit: NodeOptions['emit'], profiled: boolean): GroupObserver {
  return {
    fault: (error) => emit({ kind: 'lost', error }),
    straggler: (shard, replica) => emit({ kind: 'straggler', shard, replica }),
    audit: () => emit({ kind: 'audit' }),
    restarted: (replica) => emit({ kind: 'restarted', replica }),
    ...(profiled
      ? { computed: (replica, shard, { seconds }) => emit({ kind: 'computed', replica, shard, seconds }) }
      : {}),
  };
}
