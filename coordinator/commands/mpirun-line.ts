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

/** With a program in place of ssh. */
const AGENT_VARIABLES = ['PRTE_MCA_plm_ssh_agent', 'OMPI_MCA_plm_rsh_agent'] as const;

/** Variables that say what a training is to do: other machines get them, too. Those of one machine's installation stay. */
const PASSED = /^(GANGLION_(?!LIBMPI$)\w+|NO_COLOR)$/;

/** mpirun refuses root, which containers and this test's machines have, unless it is told twice. */
const AS_ROOT = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };

/** Names of version 4, by which the MPI operators of Kubernetes say where the pods are; version 5 reads these. */
const RENAMED = {
  OMPI_MCA_orte_default_hostfile: 'PRTE_MCA_prte_default_hostfile',
  OMPI_MCA_orte_keep_fqdn_hostnames: 'PRTE_MCA_prte_keep_fqdn_hostnames',
  OMPI_MCA_plm_rsh_args: 'PRTE_MCA_plm_ssh_args',
  OMPI_MCA_plm_rsh_agent: 'PRTE_MCA_plm_ssh_agent',
} as const;

function renamed(env: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const pairs = Object.entries(RENAMED).map(([before, now]) => [now, env[now] ?? env[before]]);
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
}

/** A machine that is off, or asks for a password, is a mistake that shows at once. */
const SSH_ARGUMENTS = '-o BatchMode=yes -o ConnectTimeout=15';

/** @returns program, arguments and what is added to the environment */
export function toMpirunLine({ mpi, nodes, hosts, rank, env, user }: MpirunRequest): {
  readonly file: string;
  readonly args: readonly string[];
  readonly added: Readonly<Record<string, string>>;
} {
  const given = { ...(user === 0 ? AS_ROOT : {}), ...(mpi.major === 5 ? renamed(env) : {}) };
  const variable = mpi.major === 5 ? 'PRTE_MCA_plm_ssh_args' : 'OMPI_MCA_plm_rsh_args';
  const isSsh = hosts !== undefined && ![...AGENT_VARIABLES, variable].some((name) => name in { ...env, ...given });
  const added = isSsh ? { ...given, [variable]: SSH_ARGUMENTS } : given;
  const passed = Object.keys({ ...env, [LAUNCH]: '', [JOB]: '' }).filter((name) => PASSED.test(name));
  return {
    file: mpi.mpirun,
    args: [
      ...(mpi.major === 5 ? ['--with-ft', 'ulfm'] : []),
      ...['--oversubscribe', '--bind-to', 'none', '--mca', 'coll', '^han', '--mca', 'mpi_yield_when_idle', '1'],
      ...['-n', String(nodes)],
      // Other machines have this installation in the same folder; the system's is found by itself.
      ...(mpi.origin === 'system' ? [] : ['--prefix', dirname(dirname(mpi.mpirun))]),
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
