// One node of a training: a state, the replicas that compute its shards, the communicator that joins it to other nodes. It knows no
// folder, no HTTP and no terminal; it emits events.
import type { Device } from '../../shared/device.ts';
import { GanglionError, messageOf } from '../../shared/error.ts';
import type { SampleJob } from '../../shared/protocol.ts';
import { countPhysicalCores } from '../machine/cores.ts';
import type { ReplicaGroup } from '../replicas/replica-group.ts';
import type { ReplicaStatus } from '../replicas/replica-status.ts';
import { prepareExit } from '../replicas/transports/living-threads.ts';
import { CommittedSteps } from '../training/committed-steps.ts';
import { SINGLE_NODE } from '../training/communicator.ts';
import type { DeviceState } from '../training/device-state.ts';
import { loadDeviceState } from '../training/load-device-state.ts';
import { type StepRecord, type TrainerOptions, train } from '../training/trainer.ts';
import { javascriptKernels, loadKernels } from '../training/update.ts';
import { loadGpuMonitor, NO_GPUS, type ReadGpus } from './gpu-monitor.ts';
import type { NodeOptions } from './node-options.ts';
import { createReplicas, type Place } from './node-replicas.ts';
import { PageReplicas } from './page-replicas.ts';
import { Placement, whyGivenUp } from './placement.ts';

export class Node {
  readonly #options: NodeOptions;
  #replicas: ReplicaGroup;
  readonly #place: Place;
  /** Those that lend their processors. */
  readonly pages: PageReplicas;
  /** Restarts of replicas whose GPU was lost with the state. */
  #restartsBefore = 0;
  #kernels = javascriptKernels;
  #readGpus: ReadGpus = NO_GPUS;

  constructor(options: NodeOptions) {
    this.#options = options;
    const spare = (): Device => ({ backend: this.#kernels === javascriptKernels ? 'wasm' : 'cpu' });
    this.#place = { devices: new Placement(options.devices, spare), state: undefined, hasStarted: false };
    this.#replicas = createReplicas(options, options.workers, this.#place);
    this.pages = new PageReplicas(options, () => this.#replicas);
  }

  /** Starts the replicas. @throws GanglionError when one does not start */
  async start(): Promise<void> {
    const { programs, emit, config, devices, dataset, state, communicator = SINGLE_NODE } = this.#options;
    // Replicas in threads share the memory of the first GPU with the coordinator: state and results lie there, images on every GPU. Several nodes,
    // and pages, add up on the host.
    if (devices.some(({ backend }) => backend === 'cuda')) await prepareExit(programs.updateEntry);
    const areGpus = devices.every(({ backend }) => backend === 'cuda');
    if (areGpus && communicator.members.length === 1 && config.isolation !== 'process' && config.pageReplicas === 0) {
      const gpus = devices.map(({ gpu }) => gpu);
      this.#place.state = await loadDeviceState(programs.updateEntry, gpus, state, dataset.images);
    }
    await this.#replicas.start();
    this.#place.hasStarted = true;
    this.#readGpus = await loadGpuMonitor(programs.updateEntry, devices);
    this.#kernels = await loadKernels(programs.updateEntry, (error) =>
      emit({ kind: 'notice', text: `the coordinator computes in JavaScript, to the same bits: ${messageOf(error)}` }),
    );
    this.pages.open();
  }

  /**
   * Trains until the last step or a stop. When a GPU is lost with the state, it goes on from the newest copy elsewhere: steps that were
   * committed are computed again, compared and not committed twice. Where a GPU is full, the state comes down, and goes on elsewhere.
   *
   * @throws GanglionError as `train` of training/trainer.ts
   */
  async train({ shouldStop, commit }: Pick<TrainerOptions, 'shouldStop' | 'commit'>): Promise<void> {
    const { state: device } = this.#place;
    if (!device) return await this.#train({ shouldStop, commit });
    const { state } = this.#options;
    const steps = new CommittedSteps();
    let underWay: StepRecord | undefined;
    const commitOnce = async (record: StepRecord): Promise<void> => {
      if (steps.has(record)) return this.#options.emit({ kind: 'repeated' });
      underWay = record;
      await commit(record);
      steps.add(record);
    };
    try {
      await this.#train({ shouldStop, commit: commitOnce });
    } catch (error) {
      const isGone = error === device.lost || error === this.#place.left;
      if (!isGone || !(error instanceof GanglionError)) throw error;
      await this.#leave(device, error, steps.newest);
      // The copy may be of the step whose commit failed.
      if (underWay?.step === state.step && underWay.step > steps.newest) await commitOnce(underWay);
      await this.#train({ shouldStop: () => shouldStop() && state.step >= steps.newest, commit: commitOnce });
    }
  }

  /** Starts other replicas, as a GPU is lost with the state and all results, or left. @param committed the newest step that was */
  async #leave(held: DeviceState, gone: GanglionError, committed: number): Promise<void> {
    const { message } = gone;
    const { devices, state, emit } = this.#options;
    const { size, status } = this.#replicas;
    const isOnIt = new Set(status.flatMap(({ id }) => (held.isOn(this.#place.devices.of(id).gpu) ? [id] : [])));
    for (const device of devices) if (held.isOn(device.gpu)) this.#place.devices.lose(device);
    this.#place.state = undefined;
    const again = committed - state.step;
    const repeated = again > 0 ? `; ${again === 1 ? '1 step is' : `${again} steps are`} computed again` : '';
    const text = `${message}; going on with ${this.#place.devices.text} from step ${state.step}${repeated}`;
    emit({ kind: 'gpuLost', text });
    const restarts = new Map(status.map((replica) => [replica.id, replica.restarts]));
    for (const { id, state: was } of status) {
      if (was === 'restarting' || was === 'draining') continue; // known, or not wanted
      restarts.set(id, (restarts.get(id) ?? 0) + 1);
      this.#restartsBefore += 1;
      const place = { place: { replica: id }, reason: 'error', cause: gone } as const;
      const its = isOnIt.has(id) ? 'its GPU' : 'the GPU that holds its results';
      emit({ kind: 'lost', error: new GanglionError('replica', `replica ${id} is lost with ${its}`, place) });
    }
    await this.#replicas.stop();
    this.#restartsBefore += this.#replicas.restarts;
    try {
      await this.#startElsewhere(size, restarts);
    } catch (error) {
      throw new GanglionError('faults', `${message}; no other device can go on: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Starts as many replicas as before on the devices that are left; where that fails, or none is, on the CPU, as many as it has cores. */
  async #startElsewhere(size: number, restarts: ReadonlyMap<number, number>): Promise<void> {
    const { config, devices, emit } = this.#options;
    const left = this.#place.devices;
    if (!left.areLost) {
      this.#replicas = createReplicas(this.#options, size, this.#place, restarts);
      try {
        return await this.#replicas.start();
      } catch (error) {
        await this.#replicas.stop();
        if (left.areLost) throw error;
        const { text } = left;
        for (const device of devices) left.lose(device);
        emit({ kind: 'gpuLost', text: `${text} ${whyGivenUp(error)}; going on with ${left.text}` });
      }
    }
    const count = Math.max(size, Math.min(countPhysicalCores(), config.shards));
    if (count !== size) emit({ kind: 'resized', from: size, to: count });
    this.#replicas = createReplicas(this.#options, count, this.#place, restarts);
    await this.#replicas.start();
  }

  async #train({ shouldStop, commit }: Pick<TrainerOptions, 'shouldStop' | 'commit'>): Promise<void> {
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
      device: this.#place.state,
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
    this.pages.close();
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
    return this.#restartsBefore + this.#replicas.restarts;
  }

  /** Where replicas compute: without GPUs that are lost. */
  get devices(): Pick<Placement, 'drawing' | 'spare'> {
    return this.#place.devices;
  }

  /** What the GPUs are doing. */
  get gpus(): ReturnType<ReadGpus> {
    return this.#readGpus();
  }

  /** What the replicas compute with, once they have started. */
  get computing(): ReplicaGroup['computing'] {
    return this.#replicas.computing;
  }
}
