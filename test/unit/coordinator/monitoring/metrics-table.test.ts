// docs/metrics.md against what createMetrics exposes.
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, it } from 'vitest';
import { createMetrics } from '../../../../coordinator/monitoring/metrics.ts';
import { metricsTable } from '../../dashboards/metrics-table.ts';
import { checkpointEvent, evaluatedEvent, stepEvent } from '../made-up-events.ts';
import { madeUpRecord } from '../made-up-record.ts';

const table = metricsTable();
let text: string;
/** Labels of every series, under the name of its metric. */
let labels: Map<string, Set<string>>;

beforeAll(async () => {
  const counts = { restarts: 0, answered: 1, busySeconds: 0.1, shards: 1, shardSeconds: 0.1 };
  const replica = { id: 0, state: 'idle', kind: 'thread', pid: 1, threadId: 1, ...counts } as const;
  const info = { run: 'a', node_version: 'v20', backend: 'cpu', workers: '1', shards: '4' }; // as run.ts gives them
  const gpu = { gpu: 1, utilization: 0.5, usedBytes: 1, totalBytes: 2, celsius: 40, watts: 300 };
  const metrics = createMetrics({ batch: 1, replicas: () => [replica], gpus: () => [gpu], info });
  metrics.observe(stepEvent(madeUpRecord(1)));
  metrics.observe(checkpointEvent(0.1, 1));
  metrics.observe(evaluatedEvent(1));
  metrics.observe({ kind: 'held', seconds: 0.1 });
  // The histogram of garbage collections has no labels before the first.
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  do {
    await delay(5);
    text = await metrics.text();
  } while (!text.includes('nodejs_gc_duration_seconds_count{'));
  labels = new Map([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => [name, new Set()]));
  for (const [, series = '', inside = ''] of text.matchAll(/^(\w+)\{(.+)\} /gm)) {
    const name = labels.has(series) ? series : series.replace(/_(bucket|sum|count)$/, '');
    for (const [, label = ''] of inside.matchAll(/(\w+)="/g)) if (label !== 'le') labels.get(name)?.add(label);
  }
});

describe('docs/metrics.md', () => {
  it('has the name, type and meaning of every metric, and of no other', () => {
    const exposed = [...text.matchAll(/^# HELP (\S+) (.+)\n# TYPE \S+ (\S+)$/gm)];
    const described = exposed.map(([, name, meaning, type]) => ({ name, type, meaning }));
    const documented = [...table.values()].map(({ name, type, meaning }) => ({ name, type, meaning }));
    const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) =>
      (a.name ?? '').localeCompare(b.name ?? '');
    expect(documented.toSorted(byName)).toEqual(described.toSorted(byName));
  });

  it('has the labels of every metric', () => {
    for (const [name, { labels: documented }] of table) {
      const exposed = [...(labels.get(name) ?? [])].toSorted();
      // Node's may have no series at this moment.
      if (name.startsWith('ganglion_') || exposed.length > 0) expect(exposed, name).toEqual([...documented].toSorted());
    }
  });

  it('has no label but those with few values', () => {
    const known = [
      'backend',
      'digit',
      'gpu',
      'images',
      'net',
      'node_version',
      'part',
      'phase',
      'reason',
      'replica',
      'run',
      'shards',
      'state',
      'weights',
      'workers',
    ];
    const own = [...table.values()].filter(({ name }) => name.startsWith('ganglion_'));
    expect([...new Set(own.flatMap((row) => row.labels))].toSorted()).toEqual(known);
  });

  it('has the unit that the name has, and _total for counters alone', () => {
    for (const { name, type, unit } of table.values()) {
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      const base = name.replace(/_total$/, '');
      if (name.startsWith('ganglion_')) {
        expect(base.endsWith('_seconds'), name).toBe(unit.startsWith('seconds'));
        expect(base.endsWith('_bytes'), name).toBe(unit === 'bytes');
        if (unit.endsWith('since 1970')) expect(base, name).toMatch(/_timestamp_seconds$/);
      }
    }
  });
});
