// The PromQL of the dashboards: what is looked at of a metric, by run or by node.

/** The runs that are looked at: one series a run at a coordinator, with the label `run`. */
const RUNS = 'ganglion_info{instance="$instance", run=~"$run"}';

/** A metric of the coordinator that is looked at, of whichever run. */
export function at(metric: string, matchers = ''): string {
  return `${metric}{instance="$instance"${matchers === '' ? '' : `, ${matchers}`}}`;
}

/**
 * The series of an expression by run: two runs in turn at one address are two series. The expression must keep the labels `job` and
 * `instance`.
 */
export function byRun(expression: string): string {
  return `${expression} * on (job, instance) group_left (run) ${RUNS}`;
}

/** The series of a metric. */
export function of(metric: string, matchers = ''): string {
  return byRun(at(metric, matchers));
}

/** By how much a counter rises, a second. */
export function rate(counter: string, matchers = ''): string {
  return byRun(`rate(${at(counter, matchers)}[$__rate_interval])`);
}

/** By how much a counter has risen. */
export function increase(counter: string, matchers = ''): string {
  return byRun(`increase(${at(counter, matchers)}[$__rate_interval])`);
}

/** What a counter's rise is in units of another's. */
export function ratio(counter: string, per: string): string {
  const rateOf = (name: string) => `rate(${at(name)}[$__rate_interval])`;
  return byRun(`${rateOf(counter)} / ${rateOf(per)}`);
}

/** Mean of a histogram by some of its labels. */
export function mean(histogram: string, labels: readonly string[] = [], matchers = ''): string {
  const by = ['job', 'instance', ...labels].join(', ');
  const sumOf = (part: string) => `sum by (${by}) (rate(${at(`${histogram}_${part}`, matchers)}[$__rate_interval]))`;
  return byRun(`${sumOf('sum')} / ${sumOf('count')}`);
}

/** Quantile of a histogram. */
export function quantile(q: number, histogram: string): string {
  const buckets = `rate(${at(`${histogram}_bucket`)}[$__rate_interval])`;
  return byRun(`histogram_quantile(${q}, sum by (job, instance, le) (${buckets}))`);
}

/** Seconds since a time that a metric has. */
export function age(timestamp: string): string {
  return byRun(`(time() - ${at(timestamp)})`);
}

/** The sum over all labels of a metric, by run. */
export function total(metric: string, matchers = ''): string {
  return `sum by (run) (${of(metric, matchers)})`;
}

/** Every node of the runs that are looked at: others than the coordinator have addresses of their own. */
const NODES = 'ganglion_info{run=~"$run"} and on (run) ganglion_info{instance="$instance"}';

/** The sums of an expression by node. It must keep the labels `job` and `instance`. */
export function byNode(expression: string): string {
  return `sum by (node, run) (${expression} * on (job, instance) group_left (run) (${NODES}))`;
}

/** The sums of a counter's rises by node, a second. */
export function rateByNode(counter: string): string {
  return byNode(`rate(${counter}[$__rate_interval])`);
}

/** Alerts that fire. They are the coordinator's, not the run's: one of them says that the coordinator is gone. */
export const ALERTS = at('ALERTS', 'alertname=~"Ganglion.+", alertstate="firing"');

/** How many alerts fire. */
export const ALERT_COUNT = `count(${ALERTS}) or vector(0)`;
