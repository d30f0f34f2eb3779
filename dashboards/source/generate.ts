// `npm run dashboards`: writes the dashboards into the folder that is named.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboardFiles } from './files.ts';

const [, , folder = 'dashboards/grafana'] = process.argv;
for (const [name, text] of dashboardFiles()) writeFileSync(join(folder, name), text);
