// The priorities of a run's threads, as Linux has them: replicas give way to the coordinator, whatever that was started with.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { MAIN, type Running, reached, SMALL, scratchFolder, start } from './ganglion.ts';
import { markOf, replicasOf } from './left-behind.ts';

const scratch = scratchFolder('priority');
const RUN = [MAIN, 'train', ...SMALL, '--workers', '2', '--steps', '100000'];

/** The nice value of a process's first thread, and how many of the others have which. */
function niceOf(pid: number): { first: number; others: Record<number, number> } {
  const others: Record<number, number> = {};
  let first = Number.NaN;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2); // after the name
    const nice = Number(fields.split(' ')[16]);
    if (Number(thread) === pid) first = nice;
    else others[nice] = (others[nice] ?? 0) + 1;
  }
  return { first, others };
}

async function whileTraining(running: Running, run: string, look: (pid: number) => void): Promise<void> {
  try {
    await reached(running, run, 2);
    look(running.child.pid ?? 0);
  } finally {
    running.child.kill('SIGINT');
    await running.ended;
  }
}

it.each([
  [0, 10],
  [12, 19],
])('started with nice %i, the coordinator keeps it, and two replicas in threads have %i', async (nice, expected) => {
  const run = scratch(`thread-${nice}`);
  const running = start('nice', ['-n', String(nice), process.execPath, ...RUN, '--run', run]);
  await whileTraining(running, run, (pid) => {
    const { first, others } = niceOf(pid);
    expect(first).toBe(nice);
    expect(others[expected]).toBe(2);
    expect(Object.keys(others).map(Number).toSorted()).toEqual([nice, expected]);
  });
});

it('in a process of its own, the thread that computes gives way, and the one that serves its channel does not', async () => {
  const run = scratch('process');
  const running = start(process.execPath, [...RUN, '--isolation', 'process', '--run', run], { env: markOf(run) });
  await whileTraining(running, run, (pid) => {
    const replicas = replicasOf(run, pid);
    expect(replicas).toHaveLength(2);
    for (const replica of replicas) {
      const { first, others } = niceOf(replica);
      expect([first, others[10]]).toEqual([0, 1]);
    }
  });
});
