// The real Prometheus, scraping a coordinator once a second. Debian's package `prometheus` brings it and promtool; CI must have them,
// elsewhere the tests that need them can be skipped.
import { mkdirSync, writeFileSync } from 'node:fs';
import { freePort, isInstalled, start } from './ganglion.ts';

export const PROMTOOL = 'promtool';
const PROMETHEUS = 'prometheus';
const isThere = isInstalled(PROMTOOL, '--version') && isInstalled(PROMETHEUS, '--version');
export const withoutPrometheus = !isThere && !process.env.CI;
if (withoutPrometheus) console.log('no prometheus: tests with it are skipped (apt-get install prometheus)');

/** Labels and value of a series. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Prometheus {
  query(expression: string): Promise<Sample[]>;
  /** Alerts that fire. */
  alerts(): Promise<Alert[]>;
  get(path: string): Promise<unknown>;
  stop(): Promise<void>;
}

/**
 * Starts Prometheus on a coordinator, or on those of this machine that a file of targets names.
 *
 * @param scratch names paths in a folder for its files
 * @param target host and port, or the file
 * @param rules content of a file of rules, as JSON, which is YAML
 */
export async function startPrometheus(
  scratch: (...parts: string[]) => string,
  target: string | { readonly file: string },
  rules?: unknown,
): Promise<Prometheus> {
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    ...(rules === undefined ? {} : { rule_files: [scratch('rules.json')] }),
    scrape_configs: [{ job_name: 'ganglion', ...targetsOf(target) }],
  };
  writeFileSync(scratch('rules.json'), JSON.stringify(rules ?? {}));
  writeFileSync(scratch('prometheus.yml'), JSON.stringify(config));
  mkdirSync(scratch('tsdb'));
  const address = `127.0.0.1:${await freePort()}`;
  const running = start(PROMETHEUS, [
    `--config.file=${scratch('prometheus.yml')}`,
    `--storage.tsdb.path=${scratch('tsdb')}`,
    `--web.listen-address=${address}`,
  ]);
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`http://${address}/api/v1/${path}`);
    const answer = (await response.json()) as { status: string; data: unknown; error?: string };
    if (answer.status !== 'success') throw new Error(`Prometheus on ${path}: ${answer.error}`);
    return answer.data;
  };
  return {
    get,
    async query(expression) {
      const data = await get(`query?query=${encodeURIComponent(expression)}`);
      const { result } = data as { result: { metric: Record<string, string>; value: [number, string] }[] };
      return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    async alerts() {
      const { alerts } = (await get('alerts')) as { alerts: (Alert & { state: string })[] };
      return alerts.filter(({ state }) => state === 'firing');
    },
    async stop() {
      running.child.kill('SIGTERM');
      await running.ended;
    },
  };
}

function targetsOf(target: string | { readonly file: string }): object {
  if (typeof target === 'string') return { static_configs: [{ targets: [target] }] };
  // A machine's name for itself need not be known to its resolver.
  const here = { source_labels: ['__address__'], regex: '.*:(\\d+)', target_label: '__address__' };
  return {
    file_sd_configs: [{ files: [target.file], refresh_interval: '1s' }],
    relabel_configs: [{ ...here, replacement: '127.0.0.1:$1' }],
  };
}
