// Two network namespaces as two machines: mpirun's daemon on the second is killed, mpirun ends the job, and `launch` goes on with the machines
// that answer. No step is lost or done twice, and the bits are those of one node.
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { oneTo, processesWith, reached, scratchFolder, stepsOf, succeed, summaryOf } from '../integration/ganglion.ts';
import { HAS_MPI } from '../integration/mpirun.ts';
import { HAS_SSHD, launchOn, makeMachines, processesOf, startSshd } from './machines.ts';

const scratch = scratchFolder('lost-daemon');
const machines = HAS_MPI && HAS_SSHD ? makeMachines(0) : undefined;
const FLAGS = ['--batch', '32', '--shards', '4', '--latent', '16', '--seed', '7', '--metrics-port', 'off'];
const TRAIN = ['train', ...FLAGS, '--workers', '1', '--evaluate-every', 'off', '--steps', '40'];

describe.skipIf(!machines)('a daemon of mpirun that is killed', () => {
  it('ends the job, which goes on from its checkpoint', async () => {
    if (!machines) return;
    const run = scratch('run');
    const ssh = await startSshd(machines[1], scratch('sshd'));
    const running = launchOn(machines, [...TRAIN, '--run', run], { PRTE_MCA_plm_ssh_args: ssh });
    await reached(running, run, 3);
    const onSecond = processesOf(machines[1]);
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
  });
});
