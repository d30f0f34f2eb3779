// The two text formats that Prometheus reads, and which of them a request gets.
// https://prometheus.io/docs/instrumenting/exposition_formats/
// https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
// Not prom-client's own OpenMetrics: that renames the counters of the registry, so that the next scrape in the other format
// finds them without their `_total`.

export type ExpositionFormat = 'text' | 'openmetrics';

export const CONTENT_TYPES: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** The format for the header `Accept`: OpenMetrics where it is asked for by name, and plain text is not preferred to it. */
export function formatFor(accept = ''): ExpositionFormat {
  let openMetrics = 0;
  let text = 0;
  for (const range of accept.toLowerCase().split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim());
    const given = new Map(parameters.map((parameter) => parameter.split('=', 2) as [string, string | undefined]));
    const weight = Number(given.get('q') ?? 1);
    const version = given.get('version');
    if (!(weight > 0)) continue;
    if (type === 'application/openmetrics-text' && (version === undefined || version === '1.0.0')) {
      openMetrics = Math.max(openMetrics, weight);
    } else if (type === 'text/plain') text = Math.max(text, weight);
  }
  return openMetrics > 0 && openMetrics >= text ? 'openmetrics' : 'text';
}

/** Text format 0.0.4 as OpenMetrics: a counter's family has the name without `_total`, its samples the one with it. */
export function toOpenMetrics(text: string): string {
  const lines = text.split('\n').filter((line) => line !== '');
  const families = new Set<string>();
  for (const line of lines) {
    const counter = /^# TYPE (\S+)_total counter$/.exec(line)?.[1];
    if (counter !== undefined) families.add(counter);
  }
  const named = lines.map((line) =>
    line.replace(/^(# (?:HELP|TYPE) )(\S+)_total(?= )/, (all, head: string, family: string) =>
      families.has(family) ? `${head}${family}` : all,
    ),
  );
  return `${[...named, '# EOF'].join('\n')}\n`;
}
