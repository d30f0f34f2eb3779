import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { NodeTable } from '../../../../coordinator/monitoring/node-table.ts';
import { TargetsFile } from '../../../../coordinator/monitoring/targets-file.ts';
import type { NodeReport } from '../../../../coordinator/replicas/node-report.ts';
import { scratchFolder } from '../../scratch.ts';

const report = (host: string, metricsPort: number | null): NodeReport => ({
  ...{ host, pid: 9, metricsPort, lost: 0, stragglers: 0, reduceSeconds: 0, replicas: [] },
});

function targetsIn(folder: string) {
  const communicator = { node: 0, members: [0, 1, 2] };
  const table = new NodeTable({ communicator, all: [0, 1, 2], own: () => report('a', 9464) });
  const failures: string[] = [];
  const path = join(folder, 'targets.json');
  const file = new TargetsFile({ path, table, onFailure: (message) => failures.push(message) });
  const tell = (node: number, told: NodeReport): void => {
    for (const sink of [table, file]) sink.observe({ kind: 'told', node, report: told });
  };
  const read = (): unknown => JSON.parse(readFileSync(path, 'utf8'));
  return { communicator, file, failures, path, tell, read };
}

it('has the addresses of all nodes that serve metrics, those of lost ones too, until the end', () => {
  const { communicator, file, failures, path, tell, read } = targetsIn(scratchFolder());
  tell(1, report('b', 9464));
  expect(read()).toEqual([{ targets: ['a:9464', 'b:9464'] }]);
  tell(2, report('b', null));
  tell(2, report('b', 9465));
  expect(read()).toEqual([{ targets: ['a:9464', 'b:9464', 'b:9465'] }]);
  communicator.members.pop();
  tell(1, report('b', 9464));
  expect(read()).toEqual([{ targets: ['a:9464', 'b:9464', 'b:9465'] }]);
  file.close();
  expect([existsSync(path), failures]).toEqual([false, []]);
});

it('is no reason to end a run: what cannot be written is said once', () => {
  const folder = scratchFolder();
  mkdirSync(join(folder, 'targets.json', 'odd'), { recursive: true });
  const { file, failures, tell } = targetsIn(folder);
  tell(1, report('b', 9464));
  tell(1, report('b', 9464));
  file.close();
  expect(failures).toEqual([expect.stringContaining('targets.json')]);
});
