// Two machines by real ssh, whose link is cut in the middle of training. Both sides end within the deadline; `launch` goes on with the side
// that it is on, to the bits of one node. A link that comes back in time costs nothing but the time.
import { rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  expectWhole,
  oneTo,
  processesWith,
  type Running,
  reached,
  scratchFolder,
  stepsOf,
  succeed,
  summaryOf,
} from '../integration/ganglion.ts';
import { HAS_MPI } from '../integration/mpirun.ts';
import { HAS_SSHD, ip, launchOn, makeMachines, processesOf, startSshd } from './machines.ts';

const scratch = scratchFolder('cut-link');
const machines = HAS_MPI && HAS_SSHD ? makeMachines(1) : undefined;
const DEADLINE_S = 20;
const STEPS = 100;
const FLAGS = ['--batch', '32', '--shards', '4', '--latent', '16', '--seed', '7', '--metrics-port', 'off'];
const TRAIN = ['train', ...FLAGS, '--workers', '1', '--evaluate-every', 'off', '--steps', String(STEPS)];

describe.skipIf(!machines)('two machines by ssh', () => {
  if (!machines) return;
  const [first, second] = machines;
  const env: NodeJS.ProcessEnv = { GANGLION_NODE_DEADLINE: String(DEADLINE_S) };
  let expected: unknown;

  beforeAll(async () => {
    const ssh = await startSshd(second, scratch('sshd'));
    env.PRTE_MCA_plm_ssh_args = ssh;
    env.OMPI_MCA_plm_rsh_args = ssh;
    await succeed([...TRAIN, '--run', scratch('one')]);
    expected = summaryOf(scratch('one')).stateSha256;
  });

  const setLink = (state: 'up' | 'down') => ip('-n', second.name, 'link', 'set', second.link, state);

  /** Trains until the link has been cut. */
  async function trainAndCut(run: string): Promise<Running> {
    const running = launchOn(machines ?? [first, second], [...TRAIN, '--run', run], env);
    await reached(running, run, 3);
    setLink('down');
    return running;
  }

  async function expectEnd(run: string): Promise<void> {
    expect([summaryOf(run).stateSha256, stepsOf(run)]).toEqual([expected, oneTo(STEPS)]);
    await expectWhole(run);
  }

  it('wait for a link that comes back', async () => {
    const run = scratch('back');
    const running = await trainAndCut(run);
    await delay(3000);
    expect(stepsOf(run).length).toBeLessThan(STEPS);
    setLink('up');
    const { exitCode, stderr } = await running.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    await expectEnd(run);
  });

  it('end when it does not, and the first goes on alone', async () => {
    const run = scratch('cut');
    const { exitCode, stderr } = await (await trainAndCut(run)).ended;
    expect({ exitCode, lines: stderr.trim().split('\n') }).toEqual({
      exitCode: 0,
      lines: [
        `ganglion: expected all other nodes within ${DEADLINE_S} s`,
        `ganglion: a machine does not answer; going on with 1 of 2 nodes on ${first.address}:1`,
      ],
    });
    await expectEnd(run);
    expect(processesOf(first)).toEqual([]); // no ssh either, which waits for the other side
    const isNode = (pid: number): boolean => processesWith('dist/coordinator/main.js').includes(pid);
    while (processesOf(second).some(isNode)) await delay(50); // its own deadline has ended it
    rmSync(run, { recursive: true });
  });
});
