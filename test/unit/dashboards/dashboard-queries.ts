// Every query of the dashboards in dashboards/grafana, and where it stands.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const DASHBOARDS = fileURLToPath(new URL('../../../dashboards/', import.meta.url));

export interface DashboardQuery {
  /** Dashboard, panel and legend; or that it marks something. */
  readonly where: string;
  readonly expression: string;
  readonly legend: string;
  readonly kind: 'panel' | 'mark';
}

interface Target {
  readonly expr: string;
  readonly legendFormat?: string;
}

export interface DashboardFile {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly {
    readonly id: number;
    readonly type: string;
    readonly title: string;
    readonly description?: string;
    readonly targets?: readonly Target[];
  }[];
  readonly annotations: {
    readonly list: readonly { readonly name: string; readonly expr: string; readonly titleFormat: string }[];
  };
}

/** The dashboards by name of their file. */
export function dashboardsOnDisk(): Map<string, DashboardFile> {
  const folder = join(DASHBOARDS, 'grafana');
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return new Map(names.map((name) => [name, JSON.parse(readFileSync(join(folder, name), 'utf8'))]));
}

export function dashboardQueries(): DashboardQuery[] {
  return [...dashboardsOnDisk()].flatMap(([file, { panels, annotations }]) => [
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr, legendFormat = '' }) => {
        const where = `${file}, ${title}, ${legendFormat}`;
        return { where, expression: expr, legend: legendFormat, kind: 'panel' as const };
      }),
    ),
    ...annotations.list.map(({ name, expr, titleFormat }) => {
      return { where: `${file}, marks of ${name}`, expression: expr, legend: titleFormat, kind: 'mark' as const };
    }),
  ]);
}
