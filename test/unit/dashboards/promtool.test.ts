// The rules by Prometheus' own tool: they are valid, and each alert fires and stays silent as rules-test.yml says.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import { isInstalled } from '../../integration/ganglion.ts';
import { DASHBOARDS, dashboardQueries } from './dashboard-queries.ts';
import { fillVariables } from './promql.ts';
import { RULES, rules, shortenedRules } from './rules-file.ts';

const TESTS = join(DASHBOARDS, 'prometheus', 'rules-test.yml');
const PROMTOOL = 'promtool';
/** Debian's package `prometheus` brings it. CI must have it; elsewhere these tests can be skipped. */
const without = !isInstalled(PROMTOOL, '--version') && !process.env.CI;
if (without) console.log('no promtool: tests of the rules are skipped (apt-get install prometheus)');

/** Fails with promtool's complaints when there are any. */
function promtool(...args: string[]): string {
  return execFileSync(PROMTOOL, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

function scratchFile(name: string, content: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), 'ganglion-rules-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, name);
  writeFileSync(path, stringify(content));
  return path;
}

describe.skipIf(without)('promtool', () => {
  it('accepts the rules, and the example of a config with them', () => {
    expect(promtool('check', 'rules', '--lint-fatal', RULES)).toContain(`SUCCESS: ${rules().length} rules found`);
    for (const name of ['prometheus.yml', 'nodes.yml'])
      promtool('check', 'config', join(DASHBOARDS, 'prometheus', name));
    const forPods = readFileSync(join(DASHBOARDS, '..', 'docker', 'kubernetes', 'prometheus.yml'), 'utf8');
    promtool('check', 'config', scratchFile('prometheus.yml', { ...parse(forPods), rule_files: [RULES] }));
  });

  it('accepts the expression of every panel', () => {
    const values = { instance: 'localhost:9464', run: '.*', __rate_interval: '15s' };
    const recorded = dashboardQueries().map(({ expression }, i) => {
      return { record: `query_${i}`, expr: fillVariables(expression, values) };
    });
    const path = scratchFile('rules.yml', { groups: [{ name: 'dashboards', rules: recorded }] });
    expect(promtool('check', 'rules', path)).toContain(`SUCCESS: ${recorded.length} rules found`);
  });

  it('finds two runs in turn at one address to be two curves, at a scrape of 15 s', () => {
    // Grafana's $__rate_interval for such a data source. Each run makes 10 steps of 128 images a second for five minutes.
    const values = { instance: 'a:9464', run: '.*', __rate_interval: '1m' };
    const series = (metric: string, labels: string) => `${metric}{job="ganglion", instance="a:9464"${labels}}`;
    const counter = (perScrape: number) => `0+${perScrape}x20 0+${perScrape}x20`;
    const panel = (file: string, title: string) => {
      const found = dashboardQueries().find(({ where }) => where.startsWith(`${file}.json, ${title}, `));
      if (!found) throw new Error(`${file}: expected a panel ${title}`);
      return fillVariables(found.expression, values);
    };
    const throughput = panel('performance', 'Throughput');
    const steps = panel('training-health', 'Steps');
    const only = (run: string, value: number) => [
      { labels: `{job="ganglion", instance="a:9464", run="${run}"}`, value },
    ];
    const at = (expr: string, eval_time: string, exp_samples: unknown) => ({ expr, eval_time, exp_samples });
    const tests = [
      {
        interval: '15s',
        input_series: [
          { series: series('ganglion_info', ', run="first", node_version="v20"'), values: '1x20 stale' },
          { series: series('ganglion_info', ', run="second", node_version="v20"'), values: '_x21 1x20' },
          { series: series('ganglion_images_total', ''), values: counter(19_200) },
          { series: series('ganglion_step', ''), values: counter(150) },
        ],
        promql_expr_test: [
          ...['1m15s', '3m', '5m'].map((time) => at(throughput, time, only('first', 1280))),
          ...['6m30s', '8m', '10m'].map((time) => at(throughput, time, only('second', 1280))),
          at(steps, '5m', only('first', 3000)),
          at(steps, '6m15s', only('second', 600)),
          at(`count(${throughput.replace('.*', 'first')}) or vector(0)`, '8m', [{ labels: '{}', value: 0 }]),
        ],
      },
    ];
    promtool('test', 'rules', scratchFile('runs.yml', { tests }));
  });

  it('finds every alert to fire and to stay silent as its test says', () => {
    promtool('test', 'rules', TESTS);
  });

  it('accepts the rules when they are shortened', () => {
    promtool('check', 'rules', scratchFile('rules.yml', shortenedRules(1 / 60)));
  });
});

it('every alert has a test in which it fires, and one in which it does not', () => {
  const { tests } = parse(readFileSync(TESTS, 'utf8')) as {
    tests: { alert_rule_test?: { alertname: string; exp_alerts: unknown[] }[] }[];
  };
  const cases = tests.flatMap((test) => test.alert_rule_test ?? []);
  for (const { alert } of rules()) {
    if (alert === undefined) continue;
    const fired = cases.filter(({ alertname }) => alertname === alert).map(({ exp_alerts }) => exp_alerts.length > 0);
    expect(new Set(fired), alert).toEqual(new Set([true, false]));
  }
});

it('shortened rules have shorter times and the same thresholds', () => {
  const byName = new Map(
    shortenedRules(1 / 60).groups.flatMap((group) => group.rules.map((rule) => [rule.alert, rule])),
  );
  expect(byName.get('GanglionStalled')).toMatchObject({ expr: 'instance:ganglion_step_age:seconds > 60', for: '1s' });
  expect(byName.get('GanglionStraggler')?.for).toBe('5s');
  expect(byName.get('GanglionReplicaRestarts')?.expr).toContain('increase(ganglion_replica_restarts_total[10s])');
});
