// The state where a GPU's replicas leave their results: on the device. The host's arrays are a copy, brought up to date where somebody reads
// them.
import { setTimeout } from 'node:timers/promises';
import type { DevicePlace, UpdateDevice, UpdateReport } from '../../shared/device-memory.ts';
import { GanglionError, messageOf } from '../../shared/error.ts';
import type { Shard } from '../replicas/replica.ts';
import { keptBy } from './average.ts';
import { type Counters, countersOfAll, HostCopies } from './host-copies.ts';
import { ShardOrder } from './shard-order.ts';
import { NETS, type NetState, type PhaseBackup, setCounters, type TrainingState } from './state.ts';

/** Between two looks at a device that has something to do. */
const ASKED_AGAIN_MS = 20;

/** One net on the device. */
export interface DeviceNet {
  readonly parameters: DevicePlace;
  readonly m: DevicePlace;
  readonly v: DevicePlace;
  readonly statistics: DevicePlace;
}

export class DeviceState {
  readonly device: UpdateDevice;
  /** The device, and the others that replicas compute on, by number, with the address of the images where they lie there. */
  readonly #gpus: ReadonlyMap<number, { readonly own: UpdateDevice; readonly imagesAt: number | undefined }>;
  readonly #state: TrainingState;
  readonly #nets: Readonly<Record<'generator' | 'discriminator', DeviceNet>>;
  /** Of the generator; null where the run keeps none. */
  readonly #average: Pick<DeviceNet, 'parameters' | 'statistics'> | null;
  /** Of the arrays that the discriminator phase changes. */
  readonly #backup: readonly (readonly [own: DevicePlace, copy: DevicePlace])[];
  readonly #copies: HostCopies;
  #isHostCurrent = true;
  readonly #order: ShardOrder;
  /** Why the device is of no use any more. */
  #lost: GanglionError | undefined;

  /**
   * @param images of the data set, that replicas on devices take
   * @param others that replicas compute on, too
   */
  constructor(state: TrainingState, device: UpdateDevice, images?: Uint8Array, others: readonly UpdateDevice[] = []) {
    this.device = device;
    this.#order = new ShardOrder(device);
    this.#gpus = new Map([device, ...others].map((own) => [own.gpu, { own, imagesAt: images && own.hold(images) }]));
    this.#state = state;
    const allocate = (net: NetState): DeviceNet => ({
      parameters: device.allocate(net.parameters.length),
      m: device.allocate(net.parameters.length),
      v: device.allocate(net.parameters.length),
      statistics: device.allocate(net.statistics.length),
    });
    this.#nets = { generator: allocate(state.generator), discriminator: allocate(state.discriminator) };
    this.#average = state.average && {
      parameters: device.allocate(state.average.parameters.length),
      statistics: device.allocate(state.average.statistics.length),
    };
    const { parameters, m, v, statistics } = this.#nets.discriminator;
    const changed = [parameters, m, v, statistics, this.#nets.generator.statistics];
    this.#backup = changed.map((own) => [own, device.allocate(own.length)]);
    this.#copies = new HostCopies(state, device.createCopies(this.#places().map(([place]) => place)));
  }

  /** The parameters, as replicas read them. */
  get parameters(): Readonly<Record<'generator' | 'discriminator', DevicePlace>> {
    return { generator: this.#nets.generator.parameters, discriminator: this.#nets.discriminator.parameters };
  }

  /** Whether this GPU is the device. @param gpu its number; the device's where it is left out */
  isOn(gpu: number = this.device.gpu): boolean {
    return gpu === this.device.gpu;
  }

  /** Where the images lie on a GPU; undefined where they do not. @param gpu as {@link isOn} */
  imagesAt(gpu: number = this.device.gpu): number | undefined {
    return this.#gpus.get(gpu)?.imagesAt;
  }

  /** Whether what was asked of a GPU may still be done, as it has not answered in time. @param gpu as {@link isOn} */
  isStuck(gpu: number = this.device.gpu): boolean {
    return this.#gpus.get(gpu)?.own.isStuck() ?? false;
  }

  /** @param net of the state */
  of(net: NetState): DeviceNet {
    return net === this.#state.generator ? this.#nets.generator : this.#nets.discriminator;
  }

  /** Brings the state to the device: training begins. */
  begin(): void {
    this.#do(() => {
      for (const [place, values] of this.#places()) this.device.write(place, values);
      this.device.resume();
      this.device.read([]); // all of it is there before a replica reads
      this.#order.note(...NETS);
    });
    this.#copies.restart();
    this.#isHostCurrent = true;
    this.#state.fetch = () => this.#fetch();
  }

  /** Changes the state on the device. @throws GanglionError `faults` when the device is lost, now or before */
  change<Result>(action: (device: UpdateDevice) => Result): Result {
    return this.use((device) => {
      this.#isHostCurrent = false;
      return action(device);
    });
  }

  /** Does something with the device that leaves the state as it is. @throws GanglionError as {@link change} */
  use<Result>(action: (device: UpdateDevice) => Result): Result {
    return this.#do(() => action(this.device));
  }

  /** Why the device is of no use any more; undefined while it is. */
  get lost(): GanglionError | undefined {
    return this.#lost;
  }

  /** Uses the device no more. @returns as {@link lost} */
  giveUp(error: unknown): GanglionError {
    const message = `the GPU that holds the state is lost: ${messageOf(error)}`;
    this.#lost ??= new GanglionError('faults', message, { cause: error });
    return this.#lost;
  }

  /** Looks whether the device still answers. @returns as {@link lost} */
  look(): GanglionError | undefined {
    try {
      this.use((device) => device.ask()());
    } catch {
      // `lost` says why
    }
    return this.#lost;
  }

  /**
   * Waits until the device has done what it has to do now, while this thread does other things: a call of its own might never return.
   *
   * @throws GanglionError as {@link change}; the reason of an abort
   */
  async answered(signal: AbortSignal): Promise<void> {
    const isAnswered = this.use((device) => device.ask());
    while (!this.use(isAnswered)) await setTimeout(ASKED_AGAIN_MS, undefined, { signal });
  }

  /** Whether replicas compute on no other device. */
  get isAlone(): boolean {
    return this.#gpus.size === 1;
  }

  /** As {@link ShardOrder}. */
  order(shard: Shard, goesAhead: boolean): Shard {
    return this.#order.of(shard, goesAhead);
  }

  /** To be called where an update of a net has been asked for: who reads its parameters from now on waits for that. */
  noteUpdate(net: NetState): void {
    this.#order.note(net === this.#state.generator ? 'generator' : 'discriminator');
  }

  /** @returns the report, once it is there @throws GanglionError as {@link change} */
  arrived(report: () => UpdateReport | undefined): Promise<UpdateReport> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        try {
          const there = this.use(report);
          if (there) resolve(there);
          else setImmediate(look);
        } catch (error) {
          reject(error);
        }
      };
      look();
    });
  }

  /**
   * Goes back to before a step in which the device has changed nothing from some update on. The step is computed again, and its shards are waited for.
   * No result is on its way.
   *
   * @param backup of the step, see {@link backup}
   */
  undo(step: number, backup: PhaseBackup): void {
    backup.restore();
    this.#copies.undo(step);
    this.#order.doubtful = step;
  }

  /** As `moveAverage` of average.ts, after a step; nothing where there is no average. */
  moveAverage(step: number, decay: number): void {
    const average = this.#average;
    if (!average) return;
    const keep = keptBy(step, decay);
    const { parameters, statistics } = this.#nets.generator;
    this.change((device) => {
      device.moveAverage(average.parameters, parameters, keep, 1 - keep);
      device.moveAverage(average.statistics, statistics, keep, 1 - keep);
    });
  }

  /** To be called after every whole step. */
  noteStep(): void {
    this.use(() => this.#copies.noteStep());
  }

  /** As `discriminatorPhaseBackup` of state.ts. */
  backup(): PhaseBackup {
    let counters: Counters = [];
    return {
      take: () => {
        this.#do(() => {
          for (const [own, copy] of this.#backup) this.device.copy(copy, own);
        });
        counters = countersOfAll(this.#state);
      },
      restore: () => {
        this.change((device) => {
          for (const [own, copy] of this.#backup) device.copy(own, copy);
          device.resume();
          this.#order.note(...NETS);
        });
        for (const [net, values] of counters) setCounters(net, values);
      },
    };
  }

  /**
   * Training is over: the state lies on the host again.
   *
   * @returns why the state is not the newest one: it is that of the last copy then, at most {@link HOST_COPY_STEPS} steps old
   */
  end(): GanglionError | undefined {
    try {
      this.#fetch();
    } catch {
      // `lost` says why
    }
    if (this.#lost) {
      const { step, counters, values } = this.#copies.newest;
      this.#state.step = step;
      for (const [net, numbers] of counters) setCounters(net, numbers);
      for (const [i, [, array]] of this.#places().entries()) if (values) array.set(values[i] ?? []);
    }
    delete this.#state.fetch;
    return this.#lost;
  }

  #fetch(): void {
    if (this.#isHostCurrent) return;
    const places = this.#places();
    const values = this.#do(() => this.device.read(places.map(([place]) => place)));
    for (const [i, [, array]] of places.entries()) array.set(values[i] ?? []);
    this.#copies.restart();
    this.#isHostCurrent = true;
  }

  /** Everything that lies on the device, with the host's arrays of it. */
  #places(): (readonly [place: DevicePlace, array: Float32Array])[] {
    const nets = NETS.flatMap((net) => {
      const { parameters, m, v, statistics } = this.#nets[net];
      const { adam, ...host } = this.#state[net];
      return [
        [parameters, host.parameters],
        [m, adam.m],
        [v, adam.v],
        [statistics, host.statistics],
      ] as const;
    });
    const [own, host] = [this.#average, this.#state.average];
    if (!own || !host) return nets;
    return [...nets, [own.parameters, host.parameters], [own.statistics, host.statistics]];
  }

  #do<Result>(action: () => Result): Result {
    if (this.#lost) throw this.#lost;
    try {
      return action();
    } catch (error) {
      throw this.giveUp(error);
    }
  }
}
