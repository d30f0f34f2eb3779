// The dashboards are what their sources say, and every expression of dashboards and rules names only what there is.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { dashboardFiles } from '../../../dashboards/source/files.ts';
import { DASHBOARDS, dashboardQueries, dashboardsOnDisk } from './dashboard-queries.ts';
import { metricsTable } from './metrics-table.ts';
import { fillVariables, parsePromql } from './promql.ts';
import { rules } from './rules-file.ts';

/** Labels of every series: those that Prometheus adds to what it scrapes, and the one of several nodes. */
const TARGET_LABELS = ['job', 'instance', 'node'];
/** Series that Prometheus itself makes. */
const OF_PROMETHEUS: Readonly<Record<string, readonly string[]>> = {
  up: [],
  scrape_duration_seconds: [],
  ALERTS: ['alertname', 'alertstate', 'severity'],
};
const GRAFANA = { instance: 'localhost:9464', run: '.*', __rate_interval: '15s', __interval: '15s', datasource: 'p' };

const table = metricsTable();

/** Type and labels of a series, by the table, by rules, or by Prometheus; undefined when there is none of that name. */
function lookUp(name: string): { type: string; labels: readonly string[] } | undefined {
  const row = table.get(name);
  if (row && row.type !== 'histogram') return row;
  const [, histogram = '', part] = /^(.+)_(bucket|sum|count)$/.exec(name) ?? [];
  const parts = table.get(histogram);
  if (parts?.type === 'histogram') {
    return { type: 'counter', labels: [...parts.labels, ...(part === 'bucket' ? ['le'] : [])] };
  }
  const own = OF_PROMETHEUS[name];
  if (own) return { type: 'gauge', labels: own };
  const recorded = rules().find(({ record }) => record === name);
  if (!recorded) return undefined;
  const labels = parsePromql(recorded.expr).selectors.flatMap(({ metric }) => lookUp(metric)?.labels ?? []);
  return { type: 'gauge', labels };
}

/** Values of a label as docs/metrics.md has them. */
function valuesOf(label: string): readonly string[] | undefined {
  const text = readFileSync(fileURLToPath(new URL('../../../docs/metrics.md', import.meta.url)), 'utf8');
  const row = new RegExp(`^\\| \`${label}\` +\\| (\`.+) \\|$`, 'm').exec(text)?.[1];
  return row === undefined ? undefined : [...row.matchAll(/`([^`]+)`/g)].map(([, value = '']) => value);
}

/** What an expression, and a text about its result, name that there is not. */
function complaints(expression: string, text = ''): string[] {
  const { selectors, grouping } = parsePromql(expression);
  const found: string[] = [];
  const labels = new Set(TARGET_LABELS);
  for (const { metric, matchers, rangeFunction = '' } of selectors) {
    const known = lookUp(metric);
    if (!known) {
      found.push(`no metric ${metric}`);
      continue;
    }
    for (const label of known.labels) labels.add(label);
    for (const [label, value] of matchers) {
      if (![...TARGET_LABELS, ...known.labels].includes(label)) found.push(`${metric} has no label ${label}`);
      const values = valuesOf(label);
      for (const one of value.split('|')) if (values && !values.includes(one)) found.push(`${label} is never ${one}`);
    }
    const ofCounters = ['rate', 'irate', 'increase'].includes(rangeFunction);
    if (ofCounters && known.type !== 'counter') found.push(`${rangeFunction} of ${metric}, a ${known.type}`);
    if (rangeFunction !== '' && !ofCounters && known.type === 'counter') {
      found.push(`${rangeFunction} of ${metric}, a counter`);
    }
  }
  const named = [...text.matchAll(/\{\{ *(?:\$labels\.)?(\w+) *\}\}/g)].map(([, label = '']) => label);
  for (const label of [...grouping, ...named]) if (!labels.has(label)) found.push(`no label ${label}`);
  return found;
}

describe('complaints', () => {
  it.each([
    ['rate(ganglion_steps_total[1m])', []],
    ['ganglion_step', []],
    ['ganglion_steps', ['no metric ganglion_steps']],
    ['ganglion_step_duration_seconds', ['no metric ganglion_step_duration_seconds']],
    ['ganglion_step_bucket', ['no metric ganglion_step_bucket']],
    ['ganglion_loss{phase="generator"}', ['ganglion_loss has no label phase']],
    ['ganglion_loss{net=~"generator|critic"}', ['net is never critic']],
    ['sum by (phase) (ganglion_loss)', ['no label phase']],
    ['sum by (le) (ganglion_loss)', ['no label le']],
    ['rate(ganglion_step[1m])', ['rate of ganglion_step, a gauge']],
    ['avg_over_time(ganglion_steps_total[1m])', ['avg_over_time of ganglion_steps_total, a counter']],
  ])('of %s are %j', (expression, expected) => {
    expect(complaints(expression)).toEqual(expected);
  });

  it('of what is no PromQL is an error', () => {
    for (const expression of ['sum(ganglion_step', 'ganglion_step{', 'rate(ganglion_step[])', '$x', '']) {
      expect(() => parsePromql(expression), expression).toThrow(/no PromQL/);
    }
  });
});

describe('dashboards', () => {
  it('are what `npm run dashboards` writes', () => {
    const generated = dashboardFiles();
    expect([...dashboardsOnDisk().keys()].toSorted()).toEqual([...generated.keys()].toSorted());
    for (const [name, text] of generated) {
      expect(readFileSync(join(DASHBOARDS, 'grafana', name), 'utf8'), name).toBe(text);
    }
  });

  it.each(dashboardQueries())('$where names only what there is', ({ expression, legend }) => {
    expect(complaints(fillVariables(expression, GRAFANA), legend)).toEqual([]);
  });

  it('say of every panel what it shows, and have an address of their own', () => {
    const dashboards = [...dashboardsOnDisk().values()];
    expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(dashboards.length);
    for (const { title, panels } of dashboards) {
      expect(title).toMatch(/^Ganglion: /);
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
      for (const panel of panels.filter(({ type }) => type !== 'row')) {
        expect(panel.description, `${title}, ${panel.title}`).toMatch(/\S.*\.$/);
        expect(panel.targets?.length, `${title}, ${panel.title}`).toBeGreaterThan(0);
      }
    }
  });

  it('show every metric of a run', () => {
    const shown = new Set(
      dashboardQueries().flatMap(({ expression }) =>
        parsePromql(fillVariables(expression, GRAFANA)).selectors.map(({ metric }) => metric),
      ),
    );
    const missing = [...table.values()].filter(({ name, type }) => {
      const series = type === 'histogram' ? [`${name}_bucket`, `${name}_sum`] : [name];
      return name.startsWith('ganglion_') && !series.some((one) => shown.has(one));
    });
    expect(missing.map(({ name }) => name).toSorted()).toEqual(['ganglion_steps_total']);
  });
});

describe('rules', () => {
  it.each(rules().map((rule) => ({ name: rule.alert ?? rule.record, rule })))(
    '$name names only what there is',
    ({ rule: { expr, annotations = {} } }) => {
      expect(complaints(expr, Object.values(annotations).join(' '))).toEqual([]);
    },
  );

  it('of alerts say what has happened and what to do, and how bad it is', () => {
    const alerts = rules().filter(({ alert }) => alert !== undefined);
    expect(alerts.length).toBeGreaterThanOrEqual(8);
    for (const { alert, labels, annotations } of alerts) {
      expect(alert).toMatch(/^Ganglion[A-Z]/);
      expect(labels?.severity, alert).toMatch(/^(critical|warning)$/);
      expect(annotations?.summary, alert).toMatch(/\{\{ \$labels\.instance \}\}/);
      expect(annotations?.description, alert).toMatch(/\S.+\.$/);
    }
  });
});
