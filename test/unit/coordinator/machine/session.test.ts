import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { processesOfSession } from '../../../../coordinator/machine/session.ts';

/** A session of its own, in which `sleep` goes on when its leader has ended. */
async function startSession(): Promise<{ readonly leader: ChildProcess; readonly left: number }> {
  const leader = spawn('sh', ['-c', 'sleep 60 >&- 2>&- & echo $!; read line'], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const [said] = await once(leader.stdout, 'data');
  return { leader, left: Number(said) };
}

it.skipIf(process.platform !== 'linux')('names what a leader has started, also when it has ended', async () => {
  const { leader, left } = await startSession();
  try {
    expect(processesOfSession(leader.pid ?? 0)).toEqual([left]);
    leader.stdin?.end('\n');
    await once(leader, 'exit');
    expect(processesOfSession(leader.pid ?? 0)).toEqual([left]);
  } finally {
    process.kill(left, 'SIGKILL');
  }
});

it('names nobody of a session that there is not', () => {
  expect(processesOfSession(2 ** 30)).toEqual([]);
});
