// Metrics of the replicas, read from their group at every scrape. A part of metrics.ts.
import { Counter, Gauge, type Registry } from 'prom-client';
import type { ReplicaState, ReplicaStatus } from '../replicas/replica-status.ts';

const STATES: readonly ReplicaState[] = ['starting', 'idle', 'busy', 'restarting', 'draining', 'stopped'];

export function addReplicaMetrics(registry: Registry, replicas: () => readonly ReplicaStatus[]): void {
  const registers = [registry];
  /** Pages come and go as they like: what is missing, and what should be there, is without them. */
  const own = (): ReplicaStatus[] => replicas().filter(({ kind }) => kind !== 'page');
  new Gauge({
    name: 'ganglion_workers',
    help: 'Target number of replicas, without those of pages.',
    registers,
    collect() {
      this.set(own().filter(({ state }) => state !== 'draining').length);
    },
  });
  new Gauge({
    name: 'ganglion_replicas',
    help: 'Replicas by state, without those of pages.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const state of STATES) this.set({ state }, own().filter((replica) => replica.state === state).length);
    },
  });

  /** The group counts, across restarts; a removed replica leaves no series behind. */
  const counter = (name: string, help: string, figureOf: (replica: ReplicaStatus) => number): void => {
    new Counter({
      name,
      help,
      labelNames: ['replica'],
      registers,
      collect() {
        this.reset();
        for (const replica of replicas()) this.inc({ replica: String(replica.id) }, figureOf(replica));
      },
    });
  };
  counter('ganglion_replica_restarts_total', 'Restarts of a replica.', ({ restarts }) => restarts);
  counter('ganglion_replica_shards_total', 'Shards that a replica has computed.', ({ answered }) => answered);
  counter(
    'ganglion_replica_shard_seconds_total',
    'Time that a replica spent on the shards that it has computed.',
    ({ busySeconds }) => busySeconds,
  );
}
