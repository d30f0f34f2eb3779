// The dashboards as files for Grafana.
import { clusterHealth } from './cluster-health.ts';
import { performance } from './performance.ts';
import { trainingHealth } from './training-health.ts';

/** Content of dashboards/grafana by name of the file. */
export function dashboardFiles(): Map<string, string> {
  const dashboards = { 'training-health': trainingHealth, 'cluster-health': clusterHealth, performance };
  return new Map(
    Object.entries(dashboards).map(([name, dashboard]) => [`${name}.json`, `${JSON.stringify(dashboard, null, 2)}\n`]),
  );
}
