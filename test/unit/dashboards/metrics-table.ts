// The tables of docs/metrics.md, for tests that hold code, dashboards and rules to them.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface TableRow {
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly labels: readonly string[];
  readonly meaning: string;
}

/** Metrics by name. */
export function metricsTable(): Map<string, TableRow> {
  const text = readFileSync(fileURLToPath(new URL('../../../docs/metrics.md', import.meta.url)), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z0-9_]+)` +\|(.*)\|(.*)\|(.*)\| (.+) \|$/gm)].map(
    ([, name = '', type = '', unit = '', labels = '', meaning = '']) => ({
      name,
      type: type.trim(),
      unit: unit.trim(),
      labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
      meaning: meaning.trim(),
    }),
  );
  const table = new Map(rows.map((row) => [row.name, row]));
  if (table.size !== rows.length) throw new Error('docs/metrics.md has a metric twice');
  return table;
}
