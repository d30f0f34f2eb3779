// The newest known state of a run, for /api/status, /healthz and the terminal.
import type { Backend } from '../../shared/backend.ts';
import type { RunEvent, RunSink } from '../run-folder/run-event.ts';
import type { StepRecord } from '../training/trainer.ts';
import type { NodeStatus, NodeTable, PlacedReplica } from './node-table.ts';

export interface Status {
  readonly state: 'starting' | 'training' | 'stopping' | 'finished';
  /** False when training has computed no step for a minute. */
  readonly healthy: boolean;
  readonly run: string;
  /** The backend that computes, as `--backend` names it. */
  readonly backend: Backend;
  readonly step: number;
  readonly steps: number;
  /** Epoch to which the newest step belongs, from 0; that of the newest step before a resume, too. */
  readonly epoch: number;
  readonly imagesPerSecond: number;
  readonly losses: { readonly discriminator: number; readonly generator: number } | null;
  readonly outputs: { readonly real: number; readonly fake: number } | null;
  /** Restarts of replicas, on all nodes. */
  readonly restarts: number;
  /** Of all nodes. */
  readonly replicas: readonly PlacedReplica[];
  /** None where this node is alone. */
  readonly nodes: readonly NodeStatus[];
  readonly checkpoint: string | null;
}

const STALLED_MS = 60_000;
/** Steps over which throughput is averaged. */
const WINDOW = 50;

export interface StatusOptions {
  readonly run: string;
  /** Where the run begins: steps done, and the epoch of the newest of them. */
  readonly step: number;
  readonly epoch: number;
  readonly steps: number;
  readonly batch: number;
  /** Read anew for every status. */
  readonly backend: Backend;
  readonly table: Pick<NodeTable, 'nodes' | 'replicas'>;
}

/** Follows the run; `now` is a monotonic clock in milliseconds. */
export class StatusKeeper implements RunSink {
  readonly #options: StatusOptions;
  readonly #now: () => number;
  #state: Status['state'] = 'starting';
  #record: StepRecord | undefined;
  #changedMs: number;
  #times: number[] = [];
  #checkpoint: string | null = null;

  constructor(options: StatusOptions, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
    this.#changedMs = now();
  }

  observe(event: RunEvent): void {
    switch (event.kind) {
      case 'training':
        this.#enter('training');
        this.#times = [this.#changedMs];
        break;
      case 'step':
        this.#record = event.record;
        this.#changedMs = this.#now();
        this.#times.push(this.#changedMs);
        if (this.#times.length > WINDOW + 1) this.#times.shift();
        break;
      case 'repeated':
        this.#changedMs = this.#now();
        break;
      case 'checkpoint':
        this.#checkpoint = event.written.path;
        break;
      case 'stopping':
        this.#enter('stopping');
        break;
      case 'ended':
        this.#enter('finished');
        break;
    }
  }

  #enter(state: Status['state']): void {
    this.#state = state;
    this.#changedMs = this.#now();
  }

  /** Real images a second over the newest steps. */
  get imagesPerSecond(): number {
    const [first = 0] = this.#times;
    const last = this.#times.at(-1) ?? 0;
    return last > first ? ((this.#times.length - 1) * this.#options.batch * 1000) / (last - first) : 0;
  }

  get status(): Status {
    const record = this.#record;
    const { nodes, replicas } = this.#options.table;
    const counted = nodes.length === 0 ? replicas : nodes; // those of lost nodes among them
    return {
      state: this.#state,
      healthy: this.#state !== 'training' || this.#now() - this.#changedMs < STALLED_MS,
      run: this.#options.run,
      backend: this.#options.backend,
      step: record?.step ?? this.#options.step,
      steps: this.#options.steps,
      epoch: record?.epoch ?? this.#options.epoch,
      imagesPerSecond: this.imagesPerSecond,
      losses: record
        ? {
            discriminator: record.discriminator.lossReal + record.discriminator.lossFake,
            generator: record.generator.lossFake,
          }
        : null,
      outputs: record ? { real: record.discriminator.outputReal, fake: record.discriminator.outputFake } : null,
      restarts: counted.reduce((sum, { restarts }) => sum + restarts, 0),
      ...{ replicas, nodes },
      checkpoint: this.#checkpoint,
    };
  }
}
