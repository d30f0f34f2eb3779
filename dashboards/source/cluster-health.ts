// Whether the replicas work, which of them are slow or lost, and how much work a crash would cost.
import { dashboard, series, stat } from './panels.ts';
import { ALERT_COUNT, age, byNode, increase, of, rate, rateByNode, ratio, total } from './queries.ts';

const AT_WORK = total('ganglion_replicas', 'state=~"idle|busy"');

export const clusterHealth = dashboard({
  uid: 'ganglion-cluster',
  title: 'Ganglion: cluster health',
  description: 'Whether the replicas work, and how much work a crash would cost.',
  rows: {
    Now: [
      stat({
        title: 'Workers',
        description: 'Target number of replicas.',
        queries: { workers: of('ganglion_workers') },
      }),
      stat({ title: 'At work', description: 'Replicas that compute, or are idle.', queries: { 'at work': AT_WORK } }),
      stat({
        title: 'Missing',
        description: 'Replicas that are starting, restarting, or cannot start.',
        warn: 1,
        queries: { missing: `${total('ganglion_workers')} - ${AT_WORK}` },
      }),
      stat({
        title: 'Restarts',
        description: 'Replicas lost and replaced since this process started.',
        warn: 1,
        bad: 10,
        queries: { restarts: total('ganglion_replica_restarts_total') },
      }),
      stat({
        title: 'Age of the newest checkpoint',
        description: 'The work that would be lost if this machine failed now.',
        unit: 's',
        warn: 600,
        bad: 900,
        queries: { age: age('ganglion_checkpoint_timestamp_seconds') },
      }),
      stat({
        title: 'Alerts',
        description: 'Alerts of this coordinator that fire.',
        bad: 1,
        namesRun: false,
        queries: { alerts: ALERT_COUNT },
      }),
    ],
    Replicas: [
      series({
        title: 'Replicas by state',
        description: 'Stacked; as high as there are workers.',
        min: 0,
        stacked: true,
        queries: { '{{state}}': of('ganglion_replicas') },
      }),
      series({
        title: 'Time for a shard',
        description: 'Mean of each replica. One that lies above the others is a straggler.',
        unit: 's',
        min: 0,
        queries: {
          'replica {{replica}}': ratio('ganglion_replica_shard_seconds_total', 'ganglion_replica_shards_total'),
        },
      }),
      series({
        title: 'Shards a second',
        description: 'Of each replica, stacked: how the work is distributed.',
        min: 0,
        stacked: true,
        queries: { 'replica {{replica}}': rate('ganglion_replica_shards_total') },
      }),
      series({
        title: 'Utilisation',
        description:
          'Share of the time in which a replica computes shards. In the rest it waits for updates of the nets.',
        unit: 'percentunit',
        min: 0,
        queries: { 'replica {{replica}}': rate('ganglion_replica_shard_seconds_total') },
      }),
    ],
    Nodes: [
      series({
        title: 'Replicas at work, by node',
        description: 'Replicas that compute, or are idle, on every node; stacked. A run of one node has one band.',
        min: 0,
        stacked: true,
        queries: { 'node {{node}}': byNode('ganglion_replicas{state=~"idle|busy"}') },
      }),
      series({
        title: 'Shards a second, by node',
        description: 'Stacked: how the work is distributed over nodes.',
        min: 0,
        stacked: true,
        queries: { 'node {{node}}': rateByNode('ganglion_replica_shards_total') },
      }),
      series({
        title: 'Waiting for other nodes',
        description:
          'Share of the time in which a node waits for sums over all nodes. The one that waits least holds up the others.',
        unit: 'percentunit',
        min: 0,
        queries: { 'node {{node}}': rateByNode('ganglion_phase_duration_seconds_sum{part="reduce"}') },
      }),
      series({
        title: 'Replicas lost, by node',
        description: 'One that loses replicas again and again points to its memory, its cores or its GPUs.',
        min: 0,
        events: true,
        queries: { 'node {{node}}': byNode('increase(ganglion_replica_faults_total[$__rate_interval])') },
      }),
      series({
        title: 'Processor, by node',
        description: 'Cores that the process of a node keeps busy; replicas in processes of their own come on top.',
        min: 0,
        queries: { 'node {{node}}': rateByNode('process_cpu_seconds_total') },
      }),
      series({
        title: 'Memory, by node',
        description: 'Resident memory of the process of a node.',
        unit: 'bytes',
        min: 0,
        queries: { 'node {{node}}': byNode('process_resident_memory_bytes') },
      }),
    ],
    Faults: [
      series({
        title: 'Replicas lost',
        description: 'By reason.',
        min: 0,
        events: true,
        queries: { '{{reason}}': increase('ganglion_replica_faults_total') },
      }),
      series({
        title: 'Restarts',
        description: 'By replica. One that is lost again and again points to its core, its memory or its GPU.',
        min: 0,
        events: true,
        queries: { 'replica {{replica}}': increase('ganglion_replica_restarts_total') },
      }),
      series({
        title: 'Shards computed twice',
        description: 'Shards of stragglers, given to a second replica, and audited shards, whose bits were compared.',
        min: 0,
        events: true,
        queries: {
          stragglers: increase('ganglion_stragglers_total'),
          audited: increase('ganglion_audited_shards_total'),
        },
      }),
      series({
        title: 'Age of the newest checkpoint',
        description: 'A saw: it falls to 0 with every checkpoint.',
        unit: 's',
        min: 0,
        queries: { age: age('ganglion_checkpoint_timestamp_seconds') },
      }),
    ],
  },
});
