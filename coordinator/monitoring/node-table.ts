// The nodes of a run and their replicas, as the first node knows them.
import type { LiveNode } from '../../shared/live-protocol.ts';
import type { NodeReport } from '../replicas/node-report.ts';
import type { ReplicaStatus } from '../replicas/replica-status.ts';
import type { RunEvent, RunSink } from '../run-folder/run-event.ts';
import type { Communicator } from '../training/communicator.ts';

/** State and counts of one node; those of a lost one stay as it has told them last. */
export interface NodeStatus extends LiveNode {
  /** `starting` until it has told something. */
  readonly state: 'starting' | 'working' | 'lost';
  readonly metricsPort: number | null;
  /** Replicas lost. */
  readonly faults: number;
}

/** A replica, with its node where there are several. */
export interface PlacedReplica extends ReplicaStatus {
  readonly node?: number;
}

export interface NodeTableOptions {
  readonly communicator: Pick<Communicator, 'node' | 'members'>;
  /** Numbers of all nodes at the start of the job. */
  readonly all: readonly number[];
  readonly own: () => NodeReport;
}

export class NodeTable implements RunSink {
  readonly #options: NodeTableOptions;
  readonly #told = new Map<number, NodeReport>();

  constructor(options: NodeTableOptions) {
    this.#options = options;
  }

  observe(event: RunEvent): void {
    if (event.kind === 'told') this.#told.set(event.node, event.report);
  }

  /** In order of their numbers; none for a run of one node. */
  get nodes(): readonly NodeStatus[] {
    const { all } = this.#options;
    return all.length === 1 ? [] : all.map((node) => this.#statusOf(node));
  }

  /** Replicas of all nodes that are there. */
  get replicas(): readonly PlacedReplica[] {
    const { all, own } = this.#options;
    if (all.length === 1) return own().replicas;
    return all
      .filter((node) => !this.#isLost(node))
      .flatMap((node) => (this.#reportOf(node)?.replicas ?? []).map((replica) => ({ node, ...replica })));
  }

  #reportOf(node: number): NodeReport | undefined {
    const { communicator, own } = this.#options;
    return node === communicator.node ? own() : this.#told.get(node);
  }

  #isLost(node: number): boolean {
    return !this.#options.communicator.members.includes(node);
  }

  #statusOf(node: number): NodeStatus {
    const report = this.#reportOf(node);
    const { host = null, pid = null, metricsPort = null, replicas = [] } = report ?? {};
    const { reduceSeconds = 0, lost: faults = 0, stragglers = 0 } = report ?? {};
    const isLost = this.#isLost(node);
    const total = (figure: 'shards' | 'busySeconds' | 'restarts'): number =>
      replicas.reduce((sum, replica) => sum + replica[figure], 0);
    return {
      node,
      state: isLost ? 'lost' : report ? 'working' : 'starting',
      ...{ host, pid, metricsPort, reduceSeconds, faults, stragglers },
      replicas: isLost ? 0 : replicas.length,
      shards: total('shards'),
      shardSeconds: mean(replicas.flatMap(({ shardSeconds }) => shardSeconds ?? [])),
      busySeconds: total('busySeconds'),
      restarts: total('restarts'),
    };
  }
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
