// The replicas of a node: hands shards to idle replicas, restarts a replica that failed, and gives its shard out again.
import { GanglionError, messageOf } from '../shared/error.ts';
import type { SampleJob } from '../shared/protocol.ts';
import type { Replica, Shard, ShardResult, StartReplica } from './replica.ts';

export type ReplicaState = 'starting' | 'idle' | 'busy' | 'restarting' | 'stopped';

/** A replica's place in the group, for metrics and the status page. */
export interface ReplicaStatus {
  readonly id: number;
  readonly state: ReplicaState;
  readonly kind: string | null;
  readonly pid: number | null;
  readonly threadId: number | null;
  readonly restarts: number;
}

export interface ReplicaGroupOptions {
  readonly count: number;
  readonly start: StartReplica;
  /** Told of every failure; the error names replica, step, phase and shard. */
  readonly onFault: (error: GanglionError) => void;
}

/** Computations of one shard, and starts of one replica, before the run gives up. */
const ATTEMPTS = 3;

interface Seat {
  readonly id: number;
  state: ReplicaState;
  replica: Replica | undefined;
  restarts: number;
}

interface Phase {
  readonly pending: { readonly shard: Shard; failures: number }[];
  readonly accept: (shard: Shard, result: ShardResult) => void;
  unfinished: number;
  readonly finish: () => void;
  readonly fail: (error: unknown) => void;
}

/** A failure as an error that names replica, step, phase and shard: a replica that is gone cannot say on what it was. */
function toFault(error: unknown, replica: number, shard?: Shard): GanglionError {
  if (error instanceof GanglionError && (!shard || error.place.shard !== undefined)) return error;
  const code = error instanceof GanglionError ? error.code : 'replica';
  const where = shard ? ` on step ${shard.step}, ${shard.phase} phase, shard ${shard.shard}` : '';
  const place = shard ? { replica, step: shard.step, phase: shard.phase, shard: shard.shard } : { replica };
  return new GanglionError(code, `replica ${replica} failed${where}: ${messageOf(error)}`, { cause: error, place });
}

export class ReplicaGroup {
  readonly #options: ReplicaGroupOptions;
  readonly #seats: readonly Seat[];
  /** The end of the newest start: replicas start one after another. */
  #starting: Promise<void> = Promise.resolve();
  #phase: Phase | undefined;
  #stopped = false;
  /** Why a replica could not be replaced; the group does not go on then. */
  #broken: unknown;

  constructor(options: ReplicaGroupOptions) {
    this.#options = options;
    this.#seats = Array.from({ length: options.count }, (_, id) => ({
      id,
      state: 'starting',
      replica: undefined,
      restarts: 0,
    }));
  }

  /**
   * Starts all replicas, one after another.
   *
   * @throws GanglionError when one does not start; those that did are stopped
   */
  async start(): Promise<void> {
    try {
      for (const seat of this.#seats) await this.#startSeat(seat, 1);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  get status(): ReplicaStatus[] {
    return this.#seats.map(({ id, state, replica, restarts }) => ({
      id,
      state,
      kind: replica?.kind ?? null,
      pid: replica?.ready.pid ?? null,
      threadId: replica?.ready.threadId ?? null,
      restarts,
    }));
  }

  /** Restarts of all replicas together. */
  get restarts(): number {
    return this.#seats.reduce((sum, { restarts }) => sum + restarts, 0);
  }

  /** What the replicas compute with, once they have started. */
  get backend(): { readonly backend: string; readonly libraryVersion: string } {
    const ready = this.#seats.find(({ replica }) => replica)?.replica?.ready;
    return { backend: ready?.backend ?? 'none', libraryVersion: ready?.libraryVersion ?? 'none' };
  }

  /**
   * Computes every shard once, whatever happens to single replicas.
   *
   * @param accept called once a shard, in any order, before the result's memory is used again
   * @throws GanglionError when a shard fails three times, or a replica does not start again
   */
  async compute(shards: readonly Shard[], accept: (shard: Shard, result: ShardResult) => void): Promise<void> {
    if (this.#phase) throw new Error('one phase at a time');
    if (this.#broken !== undefined) throw this.#broken;
    if (shards.length === 0) return;
    try {
      await new Promise<void>((resolve, reject) => {
        const pending = shards.map((shard) => ({ shard, failures: 0 }));
        this.#phase = { pending, accept, unfinished: shards.length, finish: resolve, fail: reject };
        this.#dispatch();
      });
    } finally {
      this.#phase = undefined;
    }
  }

  /** Draws images on any replica that is alive. Between phases only. */
  async sample(job: SampleJob): Promise<Float32Array> {
    for (let failures = 1; ; failures++) {
      await this.#starting;
      if (this.#broken !== undefined) throw this.#broken;
      const seat = this.#seats.find(({ state }) => state === 'idle');
      if (!seat?.replica) throw new GanglionError('replica', 'no replica is left to draw samples');
      try {
        return await seat.replica.sample(job);
      } catch (error) {
        const fault = toFault(error, seat.id);
        this.#lose(seat, fault);
        if (failures === ATTEMPTS) throw fault;
      }
    }
  }

  /** Ends all replicas; waits for restarts under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#starting.catch(() => {});
    await Promise.all(
      this.#seats.map(async (seat) => {
        seat.state = 'stopped';
        await seat.replica?.stop();
        seat.replica = undefined;
      }),
    );
  }

  #dispatch(): void {
    const phase = this.#phase;
    if (!phase) return;
    for (const seat of this.#seats) {
      if (seat.state !== 'idle' || !seat.replica) continue;
      const job = phase.pending.shift();
      if (!job) return;
      seat.state = 'busy';
      seat.replica.compute(job.shard).then(
        (result) => {
          if (seat.state === 'busy') seat.state = 'idle';
          this.#dispatch(); // the next shard first: it writes the other slot while this one is read
          this.#guard(phase, () => {
            phase.accept(job.shard, result);
            if (--phase.unfinished === 0) phase.finish();
          });
        },
        (error: unknown) => {
          const fault = toFault(error, seat.id, job.shard);
          job.failures += 1;
          phase.pending.unshift(job);
          this.#lose(seat, fault);
          if (job.failures === ATTEMPTS) phase.fail(fault);
          else this.#dispatch();
        },
      );
    }
  }

  #guard(phase: Phase, action: () => void): void {
    try {
      action();
    } catch (error) {
      phase.fail(error);
    }
  }

  /** Reports a failure, and puts a new replica into the seat. */
  #lose(seat: Seat, fault: GanglionError): void {
    this.#options.onFault(fault);
    if (this.#stopped) return;
    const lost = seat.replica;
    seat.state = 'restarting';
    seat.replica = undefined;
    seat.restarts += 1;
    this.#starting = this.#starting
      .then(async () => {
        await lost?.stop();
        if (!this.#stopped) await this.#startSeat(seat, ATTEMPTS);
      })
      .then(
        () => this.#dispatch(),
        (failure: unknown) => {
          this.#broken = failure;
          this.#phase?.fail(failure);
        },
      );
  }

  async #startSeat(seat: Seat, attempts: number): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        seat.replica = await this.#options.start(seat.id);
        seat.state = 'idle';
        return;
      } catch (error) {
        if (attempt === attempts) throw error;
      }
    }
  }
}
