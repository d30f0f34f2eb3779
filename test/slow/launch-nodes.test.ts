// `ganglion launch` with a real mpirun: whoever is asked for a stop, all nodes end after the same step, with a checkpoint, and none stays behind.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  checkpointPath,
  expectWhole,
  oneTo,
  processesWith,
  type Running,
  reached,
  scratchFolder,
  startGanglion,
  stepsOf,
  summaryOf,
} from '../integration/ganglion.ts';
import { HAS_MPI } from '../integration/mpirun.ts';

const scratch = scratchFolder('launch-nodes');
const SMALL = ['--batch', '32', '--shards', '4', '--latent', '16', '--seed', '7', '--metrics-port', 'off'];
const FLAGS = [...SMALL, '--workers', '1', '--evaluate-every', 'off'];

/** The process of a job that is meant. */
function find(who: 'launch' | 'mpirun' | 'node 1', { pid }: Running, run: string): number {
  if (who === 'launch') return pid;
  if (who === 'mpirun') return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'));
  const isNode1 = (each: number) => readFileSync(`/proc/${each}/environ`, 'utf8').includes('OMPI_COMM_WORLD_RANK=1\0');
  const [node1, ...others] = processesWith(run).filter(isNode1);
  expect(others).toEqual([]);
  return node1 ?? 0;
}

describe.skipIf(!HAS_MPI)('a job of two nodes', () => {
  it.each([
    ['launch', 'SIGTERM', 0],
    ['mpirun', 'SIGUSR1', 75],
    ['node 1', 'SIGHUP', 75],
  ] as const)('stops in order when %s gets %s', async (who, signal, exitCode) => {
    const run = scratch(signal);
    const running = startGanglion(['launch', '-n', '2', 'train', ...FLAGS, '--steps', '100000', '--run', run]);
    await reached(running, run, 3);
    process.kill(find(who, running, run), signal);
    const { exitCode: got, stderr, stdout } = await running.ended;
    expect({ got, stderr }).toEqual({ got: exitCode, stderr: '' });
    for (const control of ['\r', '\u001b']) expect(stdout).not.toContain(control); // lines, no bar: nobody looks on
    const { step } = summaryOf(run);
    expect(stepsOf(run)).toEqual(oneTo(Number(step)));
    expect(readFileSync(checkpointPath(run, Number(step))).length).toBeGreaterThan(1000);
    await expectWhole(run);
    expect(processesWith(run)).toEqual([]);
  });
});
