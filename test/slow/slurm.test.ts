// A real Slurm of this machine: munge, a controller and two nodes, each a slurmd. The job of docs/clusters.md comes to its time limit, goes
// back into the queue and goes on with its run, to the bits of a run without Slurm; tasks that do not know each other are refused.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  freePort,
  isInstalled,
  MAIN,
  oneTo,
  REPOSITORY,
  scratchFolder,
  start,
  stepsOf,
  succeed,
  summaryOf,
} from '../integration/ganglion.ts';
import { HAS_MPI } from '../integration/mpirun.ts';

const scratch = scratchFolder('slurm');
const hasSlurm =
  HAS_MPI && userInfo().uid === 0 && ['slurmctld', 'slurmd', 'munged'].every((name) => isInstalled(name, '-V'));
const SMALL = ['--batch', '32', '--shards', '4', '--latent', '16', '--seed', '7', '--evaluate-every', 'off'];
const ENVIRONMENT = { SLURM_CONF: scratch('slurm.conf') };
const daemons: ChildProcess[] = [];

function daemon(program: string, ...args: string[]): void {
  daemons.push(spawn(program, args, { stdio: 'ignore', env: { ...process.env, ...ENVIRONMENT } }));
}

async function slurm(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await start(program, args, { env: ENVIRONMENT, cwd: scratch() }).ended;
  return stdout;
}

/** @param cpus of each of the two nodes */
async function startCluster(cpus: number): Promise<void> {
  for (const folder of ['state', 'n1', 'n2', 'tmp-n1', 'tmp-n2']) mkdirSync(scratch(folder));
  writeFileSync(scratch('munge.key'), randomBytes(128), { mode: 0o600 });
  const [port, ...ports] = [await freePort(), await freePort(), await freePort()];
  const node = (i: number): string =>
    `NodeName=n${i} NodeHostname=${hostname()} NodeAddr=127.0.0.1 Port=${ports[i - 1]} CPUs=${cpus} RealMemory=1000`;
  writeFileSync(
    scratch('slurm.conf'),
    `ClusterName=test
SlurmctldHost=${hostname()}(127.0.0.1)
SlurmctldPort=${port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=${scratch('munge.sock')},cred_expire=5
StateSaveLocation=${scratch('state')}
SlurmdSpoolDir=${scratch('%n')}
TmpFS=${scratch('tmp-%n')}
SlurmctldPidFile=${scratch('slurmctld.pid')}
SlurmdPidFile=${scratch('slurmd-%n.pid')}
SlurmctldLogFile=${scratch('slurmctld.log')}
SlurmdLogFile=${scratch('slurmd-%n.log')}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2
ReturnToService=2
KillWait=5
JobRequeue=1
${node(1)}
${node(2)}
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
`,
  );
  const munge = ['key-file', 'socket', 'pid-file', 'log-file', 'seed-file'];
  const suffixes = ['key', 'sock', 'pid', 'log', 'seed'];
  daemon(
    'munged',
    '--force',
    '--foreground',
    ...munge.map((flag, i) => `--${flag}=${scratch(`munge.${suffixes[i]}`)}`),
  );
  while (!existsSync(scratch('munge.sock'))) await delay(50);
  daemon('slurmctld', '-D');
  for (const name of ['n1', 'n2']) daemon('slurmd', '-D', '-N', name);
  while (!/^idle 2$/m.test(await slurm('sinfo', '-h', '-o', '%T %D'))) await delay(200);
}

/** The script of the document, for this machine. @param command in place of `ganglion` and its flags */
function jobScript(command: string, output: string): string {
  const text = readFileSync(join(REPOSITORY, 'docs/clusters.md'), 'utf8');
  const [, script] = /^## Slurm$.*?^```sh\n(.*?)^```/ms.exec(text) ?? [];
  if (script === undefined) throw new Error('docs/clusters.md: expected a script for Slurm');
  const changes: [RegExp, string][] = [
    [/--nodes=4/, `--nodes=2\n#SBATCH --output=${output}`],
    [/--cpus-per-task=8/, '--cpus-per-task=1'],
    [/--time=04:00:00/, '--time=00:01:00'],
    [/USR1@120/, 'USR1@45'], // which may come up to a minute sooner
    [/ganglion train .*/, command],
  ];
  return changes.reduce((changed, [pattern, to]) => {
    expect(changed).toMatch(pattern);
    return changed.replace(pattern, () => to);
  }, script);
}

describe.skipIf(!hasSlurm)('Slurm', () => {
  beforeAll(() => startCluster(2));
  afterAll(() => {
    for (const child of daemons.reverse()) child.kill('SIGKILL');
  });

  it('refuses tasks that do not know each other, by the words that help', async () => {
    const args = ['-N2', '-n2', process.execPath, MAIN, 'train', ...SMALL, '--run', scratch('alone')];
    const { exitCode, stderr } = await start('srun', args, { env: ENVIRONMENT }).ended;
    expect(exitCode).toBe(2);
    expect(stderr.match(/expected srun --mpi=pmix, or mpirun/g)).toHaveLength(1);
    expect(existsSync(scratch('alone'))).toBe(false);
  });

  it('a job comes to its time limit, goes back into the queue, and goes on to the bits of one node', async () => {
    const [run, output] = [scratch('run'), scratch('job.out')];
    // Until the limit it has more steps than there is time for; then twenty more.
    const steps = `$(if [ -f ${run}/summary.json ]; then echo $(($(${process.execPath} -p "require('${run}/summary.json').step") + 20)); else echo 100000; fi)`;
    const flags = [...SMALL, '--workers', '1', '--metrics-port', 'off'];
    const command = [
      process.execPath,
      MAIN,
      'train',
      ...flags,
      '--steps',
      `"${steps}"`,
      '--run',
      run,
      '--resume',
      'auto',
    ];
    writeFileSync(scratch('job.sh'), jobScript(command.join(' '), output));
    await slurm('sbatch', scratch('job.sh'));
    while ((await slurm('squeue', '-h')) !== '') await delay(500);
    const text = readFileSync(output, 'utf8');
    expect(text).toMatch(/^SIGUSR1: finishing the step/m);
    expect(text).toMatch(/^resuming at step \d+/m);
    const { step, stateSha256 } = summaryOf(run);
    expect(stepsOf(run)).toEqual(oneTo(Number(step)));
    await succeed(['train', ...flags, '--steps', String(step), '--run', scratch('one')]);
    expect(summaryOf(scratch('one'))).toMatchObject({ step, stateSha256 });
  });
});
