import { expect, it } from 'vitest';
import { type MpirunRequest, toMpirunLine, toShellLine } from '../../../../coordinator/commands/mpirun-line.ts';

const REQUEST: MpirunRequest = {
  mpi: { mpirun: '/mpi/bin/mpirun', origin: 'wheel', major: 5 },
  nodes: 2,
  hosts: undefined,
  rank: ['node', 'main.js', 'train'],
  env: {},
  user: 1000,
};
const lineOf = (changes: Partial<MpirunRequest>) => toMpirunLine({ ...REQUEST, ...changes });
const OPTIONS = '--oversubscribe --bind-to none --mca coll ^han --mca mpi_yield_when_idle 1';

it('has the options that training was tried with', () => {
  const { file, args, added } = lineOf({});
  expect(file).toBe('/mpi/bin/mpirun');
  expect(args.join(' ')).toBe(
    `--with-ft ulfm ${OPTIONS} -n 2 --prefix /mpi -x GANGLION_JOB -x GANGLION_LAUNCH node main.js train`,
  );
  expect(added).toEqual({});
});

it('asks version 4 for nothing that it lacks', () => {
  const { args } = lineOf({ mpi: { ...REQUEST.mpi, major: 4 } });
  expect(args.join(' ')).toBe(`${OPTIONS} -n 2 --prefix /mpi -x GANGLION_JOB -x GANGLION_LAUNCH node main.js train`);
});

it('tells mpirun where to look on other machines, unless the system has it', () => {
  const hosts = [
    { name: 'a', nodes: 1 },
    { name: 'b', nodes: 2 },
  ];
  expect(lineOf({ hosts }).args.join(' ')).toContain('-n 2 --prefix /mpi --host a:1,b:2 -x');
  const system = lineOf({ hosts, mpi: { ...REQUEST.mpi, origin: 'system' } });
  expect(system.args.join(' ')).toContain('-n 2 --host a:1,b:2 -x');
});

it("gives version 5 what Kubernetes' operators say to version 4", () => {
  const env = {
    OMPI_MCA_orte_default_hostfile: '/etc/mpi/hostfile',
    OMPI_MCA_plm_rsh_args: '-o ConnectionAttempts=10',
    PRTE_MCA_plm_ssh_args: '-p 2222',
  };
  const now = { PRTE_MCA_prte_default_hostfile: '/etc/mpi/hostfile', PRTE_MCA_plm_ssh_args: '-p 2222' };
  expect(lineOf({ env }).added).toEqual(now);
  expect(lineOf({ env, mpi: { ...REQUEST.mpi, major: 4 } }).added).toEqual({});
});

it('passes on by name what says what to train, and nothing of one machine', () => {
  const env = { GANGLION_API_TOKEN: 'secret', NO_COLOR: '1', PATH: '/bin', GANGLION_LIBMPI: '/x', HOME: '/root' };
  const { args } = lineOf({ env });
  expect(args.join(' ')).toContain('-x GANGLION_API_TOKEN -x GANGLION_JOB -x GANGLION_LAUNCH -x NO_COLOR node');
  expect(args.join(' ')).not.toContain('secret');
});

it('lets ssh fail at once where a machine is off, unless somebody else says how it is called', () => {
  const hosts = [{ name: 'a', nodes: 1 }];
  const ssh = '-o BatchMode=yes -o ConnectTimeout=15';
  expect(lineOf({ hosts }).added).toEqual({ PRTE_MCA_plm_ssh_args: ssh });
  expect(lineOf({ hosts, mpi: { ...REQUEST.mpi, major: 4 } }).added).toEqual({ OMPI_MCA_plm_rsh_args: ssh });
  expect(lineOf({ hosts, env: { PRTE_MCA_plm_ssh_agent: '/agent' } }).added).toEqual({
    PRTE_MCA_plm_ssh_agent: '/agent',
  });
  expect(lineOf({ hosts, env: { PRTE_MCA_plm_ssh_args: '-4' } }).added).toEqual({ PRTE_MCA_plm_ssh_args: '-4' });
});

it('lets root do it', () => {
  expect(lineOf({ user: 0 }).added).toEqual({ OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' });
});

it('writes words as a shell reads them', () => {
  expect(toShellLine(['A=1', 'a b', "it's", '$x', '', '^han'])).toBe(`A=1 'a b' 'it'\\''s' '$x' '' ^han`);
});
