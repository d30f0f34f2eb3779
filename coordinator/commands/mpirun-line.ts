// The line that starts the nodes of a training by mpirun. The options are those that training was tried with: docs/clusters.md has why.
import { dirname } from 'node:path';
import type { Mpi } from '../../shared/mpi.ts';
import { JOB, LAUNCH } from '../machine/rank.ts';
import { type Host, showHosts } from './hosts.ts';

export interface MpirunRequest {
  readonly mpi: Pick<Mpi, 'origin' | 'major'> & { readonly mpirun: string };
  readonly nodes: number;
  /** Undefined is this machine, or what a scheduler has given. */
  readonly hosts: readonly Host[] | undefined;
  /** Program and arguments of every rank. */
  readonly rank: readonly string[];
  /** Environment of the launcher. */
  readonly env: NodeJS.ProcessEnv;
  /** User of the launcher, 0 for root; undefined where there is none. */
  readonly user: number | undefined;
}

/** Variables that say what a training is to do: other machines get them, too. Those of one machine's installation stay. */
const PASSED = /^(GANGLION_(?!LIBMPI$)\w+|NO_COLOR)$/;

/** mpirun refuses root, which containers and this test's machines have, unless it is told twice. */
const AS_ROOT = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };

/** @returns program, arguments and what is added to the environment */
export function toMpirunLine({ mpi, nodes, hosts, rank, env, user }: MpirunRequest): {
  readonly file: string;
  readonly args: readonly string[];
  readonly added: Readonly<Record<string, string>>;
} {
  const added = user === 0 ? AS_ROOT : {};
  const passed = Object.keys({ ...env, [LAUNCH]: '', [JOB]: '' }).filter((name) => PASSED.test(name));
  return {
    file: mpi.mpirun,
    args: [
      ...(mpi.major === 5 ? ['--with-ft', 'ulfm'] : []),
      ...['--oversubscribe', '--bind-to', 'none', '--mca', 'coll', '^han', '--mca', 'mpi_yield_when_idle', '1'],
      ...['-n', String(nodes)],
      // Other machines have this installation in the same folder; one of the system is found by itself.
      ...(hosts && mpi.origin !== 'system' ? ['--prefix', dirname(dirname(mpi.mpirun))] : []),
      ...(hosts ? ['--host', showHosts(hosts)] : []),
      ...passed.sort().flatMap((name) => ['-x', name]),
      ...rank,
    ],
    added,
  };
}

/** A line that a shell reads as these words. */
export function toShellLine(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./^-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}
