// Two network namespaces as two machines: mpirun's daemon on the second is killed, mpirun ends the job, and `launch` goes on with the machines
// that answer. No step is lost or done twice, and the bits are those of one node.
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import {
  cleanEnvironment,
  isInstalled,
  MAIN,
  oneTo,
  processesWith,
  reached,
  scratchFolder,
  start,
  stepsOf,
  succeed,
  summaryOf,
} from '../integration/ganglion.ts';
import { HAS_MPI } from '../integration/mpirun.ts';

const scratch = scratchFolder('lost-daemon');
const MACHINES = [1, 2].map((i) => ({ i, name: `ganglion${i}`, link: `ganglion-v${i}`, address: `10.79.0.${i}` }));
const FLAGS = ['--batch', '32', '--shards', '4', '--latent', '16', '--seed', '7', '--metrics-port', 'off'];
const TRAIN = ['train', ...FLAGS, '--workers', '1', '--evaluate-every', 'off', '--steps', '40'];

const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: 'ignore' });

function removeMachines(): void {
  for (const { name } of MACHINES) {
    try {
      ip('netns', 'del', name);
    } catch {
      // there is none
    }
  }
}

const hasMachines = ((): boolean => {
  if (!HAS_MPI || !isInstalled('ip', '-V')) return false;
  removeMachines();
  try {
    for (const { name } of MACHINES) ip('netns', 'add', name);
    ip('link', 'add', 'ganglion-v1', 'type', 'veth', 'peer', 'name', 'ganglion-v2');
    for (const { name, link, address } of MACHINES) {
      ip('link', 'set', link, 'netns', name);
      ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', link);
      for (const each of [link, 'lo']) ip('-n', name, 'link', 'set', each, 'up');
    }
    return true;
  } catch {
    removeMachines(); // not root, or locked
    return false;
  }
})();
afterAll(removeMachines);

/** In place of ssh. */
function agent(): string {
  const path = scratch('agent');
  writeFileSync(
    path,
    `#!/bin/bash
host=$1; shift; n=\${host##*.}
exec ip netns exec ganglion$n unshare -u bash -c "hostname ganglion$n; export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; $*"
`,
  );
  chmodSync(path, 0o755);
  return path;
}

describe.skipIf(!hasMachines)('a daemon of mpirun that is killed', () => {
  it('ends the job, which goes on from its checkpoint', async () => {
    const run = scratch('run');
    const env = {
      PRTE_MCA_plm_ssh_agent: agent(),
      PRTE_MCA_prte_if_include: '10.79.0.0/24',
      OMPI_MCA_btl_tcp_if_include: '10.79.0.0/24',
      OMPI_MCA_pml: 'ob1',
      OMPI_MCA_btl: 'self,sm,tcp',
    };
    const hosts = MACHINES.map(({ address }) => address).join(',');
    const launch = [process.execPath, MAIN, 'launch', '--hosts', hosts, ...TRAIN, '--run', run];
    const onFirst = ['netns', 'exec', 'ganglion1', 'unshare', '-u', 'sh', '-c', 'hostname ganglion1; exec "$@"', 'sh'];
    const running = start('ip', [...onFirst, ...launch], { env: { ...cleanEnvironment(), ...env } });
    await reached(running, run, 3);
    const onSecond = execFileSync('ip', ['netns', 'pids', 'ganglion2'], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number);
    const daemons = processesWith('bin/prted').filter((pid) => onSecond.includes(pid));
    expect(daemons.length).toBeGreaterThan(0);
    for (const pid of daemons) process.kill(pid, 'SIGKILL');
    const { exitCode, stderr } = await running.ended;
    expect(exitCode).toBe(0);
    expect(stderr).toContain('ganglion: a node was lost with its mpirun; going on with 2 of 2 nodes');
    expect(stepsOf(run)).toEqual(oneTo(40));
    await succeed([...TRAIN, '--run', scratch('one')]);
    expect(summaryOf(run).stateSha256).toBe(summaryOf(scratch('one')).stateSha256);
    while (processesWith(run).length > 0) await delay(50); // nobody stays behind
  }, 120_000);
});
