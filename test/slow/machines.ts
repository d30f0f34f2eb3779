// Two network namespaces as two machines, for tests: own names, own addresses, a link between them, and an sshd on the second.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll } from 'vitest';
import { cleanEnvironment, isInstalled, MAIN, type Running, start } from '../integration/ganglion.ts';

export interface Machine {
  /** Of the namespace, and what the machine calls itself. */
  readonly name: string;
  readonly link: string;
  readonly address: string;
}

/** `ip ARGS` @throws when it fails */
export const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: 'ignore' });

/** Words that run a program on a machine. */
export const on = ({ name }: Machine): string[] => {
  return ['netns', 'exec', name, 'unshare', '-u', 'sh', '-c', `hostname ${name}; exec "$@"`, 'sh'];
};

/** Processes of a machine. */
export function processesOf({ name }: Machine): number[] {
  const text = execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).trim();
  return text === '' ? [] : text.split('\n').map(Number);
}

/**
 * @param subnet its third number keeps those of one file apart from another's
 * @returns undefined where they cannot be made: this needs root, and iproute2
 */
export function makeMachines(subnet: number): readonly [Machine, Machine] | undefined {
  const machine = (i: number): Machine => {
    return { name: `ganglion${subnet}-${i}`, link: `gv${subnet}-${i}`, address: `10.79.${subnet}.${i}` };
  };
  const machines = [machine(1), machine(2)] as const;
  const remove = (): void => {
    for (const { name } of machines) {
      try {
        ip('netns', 'del', name);
      } catch {
        // there is none
      }
    }
  };
  if (!isInstalled('ip', '-V')) return undefined;
  remove();
  try {
    for (const { name } of machines) ip('netns', 'add', name);
    ip('link', 'add', machines[0].link, 'type', 'veth', 'peer', 'name', machines[1].link);
    for (const { name, link, address } of machines) {
      ip('link', 'set', link, 'netns', name);
      ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', link);
      for (const each of [link, 'lo']) ip('-n', name, 'link', 'set', each, 'up');
    }
  } catch {
    remove(); // not root, or locked
    return undefined;
  }
  afterAll(() => {
    for (const pid of machines.flatMap(processesOf)) killIfThere(pid); // also Open MPI's daemon behind a cut link
    remove();
  });
  return machines;
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}

const SSHD = '/usr/sbin/sshd';

/** Whether a machine can have an sshd. */
export const HAS_SSHD = existsSync(SSHD) && isInstalled('ssh', '-V');

/** Starts an sshd. @param folder for its keys and files @returns ssh's arguments to reach it */
export async function startSshd(machine: Machine, folder: string): Promise<string> {
  mkdirSync('/run/sshd', { recursive: true });
  mkdirSync(folder);
  for (const key of ['host', 'user']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', `${folder}/${key}`]);
  }
  const server = {
    ...{ HostKey: `${folder}/host`, AuthorizedKeysFile: `${folder}/user.pub`, PidFile: 'none' },
    ...{ StrictModes: 'no', UsePAM: 'no', PasswordAuthentication: 'no', PermitRootLogin: 'yes' },
  };
  const client = {
    ...{ IdentityFile: `${folder}/user`, IdentitiesOnly: 'yes', UserKnownHostsFile: '/dev/null', LogLevel: 'ERROR' },
    ...{ StrictHostKeyChecking: 'no', BatchMode: 'yes', ConnectTimeout: '10' },
  };
  const toText = (options: Record<string, string>): string =>
    Object.entries(options)
      .map(([name, value]) => `${name} ${value}\n`)
      .join('');
  writeFileSync(`${folder}/server`, toText(server));
  writeFileSync(`${folder}/client`, toText(client));
  const child: ChildProcess = spawn('ip', [...on(machine), SSHD, '-D', '-e', '-f', `${folder}/server`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (text) => {
    said += text;
  });
  while (!said.includes('listening')) {
    if (child.exitCode !== null) throw new Error(`sshd: ${said}`);
    await delay(20);
  }
  return `-F ${folder}/client`;
}

/** Starts `ganglion launch` on the first of two machines, with a node on each. */
export function launchOn(
  [first, second]: readonly [Machine, Machine],
  command: readonly string[],
  env: NodeJS.ProcessEnv,
): Running {
  const subnet = first.address.replace(/\d+$/, '0/24');
  const network = {
    PRTE_MCA_prte_if_include: subnet,
    OMPI_MCA_oob_tcp_if_include: subnet,
    OMPI_MCA_btl_tcp_if_include: subnet,
    OMPI_MCA_pml: 'ob1',
    OMPI_MCA_btl: 'self,tcp',
  };
  const launch = [process.execPath, MAIN, 'launch', '--hosts', `${first.address},${second.address}`, ...command];
  return start('ip', [...on(first), ...launch], { env: { ...cleanEnvironment(), ...network, ...env } });
}
