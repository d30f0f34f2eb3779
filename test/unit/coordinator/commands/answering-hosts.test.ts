import { chmodSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { answeringHosts } from '../../../../coordinator/commands/answering-hosts.ts';
import { scratchFolder } from '../../scratch.ts';

const HOSTS = ['a', 'b', 'c'].map((name) => ({ name, nodes: 1 }));

it.each(['PRTE_MCA_plm_ssh_agent', 'OMPI_MCA_plm_rsh_agent'])(
  'asks each host by the program of %s',
  async (variable) => {
    const agent = join(scratchFolder(), 'agent');
    writeFileSync(agent, '#!/bin/sh\n[ "$1 $2 $4" = "-q -p2222 true" ] && [ "$3" != b ]\n');
    chmodSync(agent, 0o755);
    const names = (await answeringHosts(HOSTS, { PRTE_MCA_plm_ssh_args: '-p2222', [variable]: `${agent} -q` })).map(
      ({ name }) => name,
    );
    expect(names).toEqual(['a', 'c']);
  },
);

it('does not ask this machine, which mpirun reaches without a program', async () => {
  const hosts = [hostname(), 'localhost', '127.0.0.1', 'b'].map((name) => ({ name, nodes: 1 }));
  const names = (await answeringHosts(hosts, { PRTE_MCA_plm_ssh_agent: '/none/ssh' })).map(({ name }) => name);
  expect(names).toEqual([hostname(), 'localhost', '127.0.0.1']);
});

it('finds nobody where the program is missing', async () => {
  expect(await answeringHosts(HOSTS, { PRTE_MCA_plm_ssh_agent: '/none/ssh' })).toEqual([]);
});
