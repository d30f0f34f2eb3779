// What this node tells the first one: who it is, and what its replicas have done.
import { hostname } from 'node:os';
import type { NodeReport } from '../replicas/node-report.ts';
import type { ReplicaStatus } from '../replicas/replica-status.ts';
import type { RunEvent, RunSink } from '../run-folder/run-event.ts';

/** Between two texts of a node. */
const INTERVAL_MS = 500;

export interface OwnReportOptions {
  readonly replicas: () => readonly ReplicaStatus[];
  readonly metricsPort: () => number | null;
  /** Monotonic clock in milliseconds. */
  readonly now?: () => number;
}

export class OwnReport implements RunSink {
  readonly #options: OwnReportOptions;
  readonly #now: () => number;
  #lost = 0;
  #stragglers = 0;
  #reduceSeconds = 0;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(options: OwnReportOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  observe(event: RunEvent): void {
    switch (event.kind) {
      case 'lost':
        this.#lost += 1;
        break;
      case 'straggler':
        this.#stragglers += 1;
        break;
      case 'step': {
        const { discriminator, generator } = event.record;
        this.#reduceSeconds += discriminator.seconds.reduce + generator.seconds.reduce;
        break;
      }
    }
  }

  get report(): NodeReport {
    const { replicas, metricsPort } = this.#options;
    return {
      host: hostname(),
      pid: process.pid,
      metricsPort: metricsPort(),
      replicas: replicas(),
      lost: this.#lost,
      stragglers: this.#stragglers,
      reduceSeconds: this.#reduceSeconds,
    };
  }

  /** The report as a text, now and then. */
  readonly tell = (): string | undefined => {
    if (this.#now() - this.#toldMs < INTERVAL_MS) return undefined;
    this.#toldMs = this.#now();
    return JSON.stringify(this.report);
  };
}
