import { describe, expect, it } from 'vitest';
import { NodeTable } from '../../../../coordinator/monitoring/node-table.ts';
import { OwnReport } from '../../../../coordinator/monitoring/own-report.ts';
import { StatusKeeper } from '../../../../coordinator/monitoring/status.ts';
import type { NodeReport } from '../../../../coordinator/replicas/node-report.ts';
import type { ReplicaStatus } from '../../../../coordinator/replicas/replica-status.ts';
import { lostEvent, stepEvent, stragglerEvent } from '../made-up-events.ts';
import { madeUpRecord } from '../made-up-record.ts';

const replica = (id: number, restarts: number): ReplicaStatus => ({
  ...{ id, state: 'busy', kind: 'thread', pid: 9, threadId: 1, restarts },
  ...{ answered: 40, busySeconds: 1.5, shards: 30, shardSeconds: 0.02 },
});

const report = (host: string, restarts: number): NodeReport => ({
  ...{ host, pid: 9, metricsPort: 9464, lost: 2, stragglers: 1, reduceSeconds: 3 },
  replicas: [replica(0, restarts), replica(1, 0)],
});

function tableOf(all: readonly number[]) {
  const communicator = { node: all[0] as number, members: [...all] };
  return { communicator, table: new NodeTable({ communicator, all, own: () => report('a', 1) }) };
}

describe('NodeTable', () => {
  it('has no nodes where there is one', () => {
    const { table } = tableOf([0]);
    expect([table.nodes, table.replicas]).toEqual([[], report('a', 1).replicas]);
  });

  it('knows of the others what they told last, and keeps the counts of one that is lost', () => {
    const { communicator, table } = tableOf([0, 1, 2]);
    const status = new StatusKeeper({
      ...{ run: 'a', step: 0, epoch: 0, steps: 9, batch: 10, backend: 'cpu', table },
    });
    table.observe({ kind: 'told', node: 1, report: report('b', 4) });
    table.observe({ kind: 'told', node: 1, report: report('b', 5) });
    const counts = { shards: 60, shardSeconds: 0.02, busySeconds: 3, faults: 2, stragglers: 1, reduceSeconds: 3 };
    const own = {
      node: 0,
      state: 'working',
      host: 'a',
      pid: 9,
      metricsPort: 9464,
      replicas: 2,
      restarts: 1,
      ...counts,
    };
    const second = { ...own, node: 1, host: 'b', restarts: 5 };
    expect(table.nodes.slice(0, 2)).toEqual([own, second]);
    expect(table.nodes[2]).toMatchObject({ node: 2, state: 'starting', host: null, replicas: 0, shardSeconds: null });
    expect(table.replicas.map(({ node, id }) => [node, id])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
    communicator.members.splice(1, 1);
    expect(table.nodes[1]).toEqual({ ...second, state: 'lost', replicas: 0 });
    expect(table.replicas.map(({ node }) => node)).toEqual([0, 0]);
    expect(status.status).toMatchObject({ restarts: 6, nodes: table.nodes, replicas: table.replicas });
  });
});

describe('OwnReport', () => {
  it('counts what happens to the replicas, and waits; tells it twice a second at most', () => {
    const clock = { ms: 7 };
    const own = new OwnReport({ replicas: () => [replica(0, 1)], metricsPort: () => 9465, now: () => clock.ms });
    const record = madeUpRecord(1);
    const { discriminator } = record;
    const waited = { ...discriminator, seconds: { ...discriminator.seconds, reduce: 0.25 } };
    for (const event of [lostEvent('exit'), stragglerEvent(), stragglerEvent()]) own.observe(event);
    for (let step = 0; step < 2; step++) own.observe(stepEvent({ ...record, discriminator: waited }));
    const expected = { lost: 1, stragglers: 2, reduceSeconds: 0.5, metricsPort: 9465, pid: process.pid };
    expect(own.report).toMatchObject(expected);
    expect(JSON.parse(own.tell() ?? '')).toEqual(own.report);
    clock.ms += 499;
    expect(own.tell()).toBeUndefined();
    clock.ms += 1;
    expect(own.tell()).toBeDefined();
  });
});
