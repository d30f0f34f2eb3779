import { describe, expect, it } from 'vitest';
import { formatFor, toOpenMetrics } from '../../../../coordinator/monitoring/exposition.ts';

describe('formatFor', () => {
  it.each([
    // Prometheus 2.42, and 3.x
    [
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      'openmetrics',
    ],
    [
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      'openmetrics',
    ],
    // Prometheus told to take the text format alone
    ['text/plain;version=0.0.4;q=0.5,*/*;q=0.1', 'text'],
    ['application/openmetrics-text', 'openmetrics'],
    ['Application/OpenMetrics-Text; Version=1.0.0', 'openmetrics'],
    ['application/openmetrics-text;q=0.3, text/plain;q=0.9', 'text'],
    ['application/openmetrics-text;q=0', 'text'],
    ['application/openmetrics-text;q=no', 'text'],
    ['application/openmetrics-text;version=2.0.0', 'text'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text'],
    ['*/*', 'text'],
    ['', 'text'],
    [',;=', 'text'],
    [undefined, 'text'],
  ])('of %j is %s', (accept, expected) => {
    expect(formatFor(accept)).toBe(expected);
  });
});

describe('toOpenMetrics', () => {
  it('names families of counters without _total, and ends with # EOF', () => {
    const text = `# HELP a_total A thing_total counted.
# TYPE a_total counter
a_total{x="1"} 2
a_total{x="2"} 3

# HELP b_seconds B.
# TYPE b_seconds histogram
b_seconds_bucket{le="+Inf"} 1
b_seconds_sum 0.5
b_seconds_count 1
`;
    expect(toOpenMetrics(text)).toBe(`# HELP a A thing_total counted.
# TYPE a counter
a_total{x="1"} 2
a_total{x="2"} 3
# HELP b_seconds B.
# TYPE b_seconds histogram
b_seconds_bucket{le="+Inf"} 1
b_seconds_sum 0.5
b_seconds_count 1
# EOF
`);
  });
});
