// `--hosts a,b:2`: machines, and how many nodes of the training each of them has.
import { GanglionError } from '../../shared/error.ts';
import { show } from '../../shared/printable.ts';

export interface Host {
  /** Name or IPv4 address; never an option of a program. */
  readonly name: string;
  readonly nodes: number;
}

/** Nodes of one host, and in all: MPI would take more, a model has at most some hundred shards. */
export const MOST_NODES = 1024;

const HOST = /^([A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?)(?::(\d{1,4}))?$/;

/** @throws GanglionError `usage` */
export function parseHosts(list: string): readonly Host[] {
  const hosts = list.split(',').map((text): Host => {
    const [, name, nodes = '1'] = HOST.exec(text.trim()) ?? [];
    if (name !== undefined && Number(nodes) >= 1 && Number(nodes) <= MOST_NODES) return { name, nodes: Number(nodes) };
    const expected = `expected names of machines, each with its number of nodes (1 to ${MOST_NODES}), as in a,b:2`;
    throw new GanglionError('usage', `--hosts: ${expected}, got ${show(text)}`);
  });
  const twice = hosts.find(({ name }, i) => hosts.findIndex((other) => other.name === name) < i);
  if (twice) throw new GanglionError('usage', `--hosts: ${twice.name} is named twice; write ${twice.name}:2`);
  if (countPlaces(hosts) > MOST_NODES) {
    throw new GanglionError('usage', `--hosts: expected at most ${MOST_NODES} nodes, got ${countPlaces(hosts)}`);
  }
  return hosts;
}

/** Nodes that fit on hosts. */
export function countPlaces(hosts: readonly Host[]): number {
  return hosts.reduce((sum, { nodes }) => sum + nodes, 0);
}

/** As {@link parseHosts} reads it, and `mpirun --host`. */
export function showHosts(hosts: readonly Host[]): string {
  return hosts.map(({ name, nodes }) => `${name}:${nodes}`).join(',');
}
