// Which machines are left when one was lost: those that the program answers by which mpirun reaches them.
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import { namesThisMachine } from '../http/hosts.ts';
import type { Host } from './hosts.ts';

/** A machine that is off says nothing. */
const ANSWER_MS = 15_000;

/** mpirun's variables for a program in place of ssh, and for its arguments, of versions 5 and 4. */
const AGENTS = ['PRTE_MCA_plm_ssh_agent', 'OMPI_MCA_plm_rsh_agent'] as const;
const ARGUMENTS = ['PRTE_MCA_plm_ssh_args', 'OMPI_MCA_plm_rsh_args'] as const;

/** @param env of the launcher, as mpirun has it */
export async function answeringHosts(hosts: readonly Host[], env: NodeJS.ProcessEnv): Promise<readonly Host[]> {
  const [program = 'ssh', ...options] = wordsOf(env, AGENTS) ?? [
    'ssh',
    '-o',
    'BatchMode=yes',
    '-o',
    'ConnectTimeout=10',
  ];
  const more = wordsOf(env, ARGUMENTS) ?? [];
  const run = promisify(execFile);
  const answers = await Promise.all(
    hosts.map(async ({ name }) => {
      if (await isHere(name)) return true;
      const asked = run(program, [...options, ...more, name, 'true'], {
        ...{ env, timeout: ANSWER_MS, killSignal: 'SIGKILL' },
      });
      return await asked.then(
        () => true,
        () => false,
      );
    }),
  );
  return hosts.filter((_, i) => answers[i]);
}

/** mpirun starts nodes of its own machine without a program. */
async function isHere(name: string): Promise<boolean> {
  return isIP(name) === 0 ? await namesThisMachine(name) : await isOwn(name);
}

/** Also of an interface whose cable is out, which Node.js does not name: only an own address can be bound to. */
function isOwn(address: string): Promise<boolean> {
  const socket = createSocket('udp4');
  return new Promise<boolean>((resolve) => {
    socket.once('error', () => resolve(false));
    socket.bind(0, address, () => resolve(true));
  }).finally(() => socket.close());
}

function wordsOf(env: NodeJS.ProcessEnv, names: readonly string[]): string[] | undefined {
  const text = names.map((name) => env[name]).find((value) => value !== undefined && value.trim() !== '');
  return text?.trim().split(/\s+/);
}
