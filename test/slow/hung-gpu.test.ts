// A GPU that hangs in the middle of a run, in the emulation: a kernel that never ends, for which calls of the driver that wait for it wait, too,
// or a call that never returns. The run goes on elsewhere, to the same hash, and its process ends.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { type Ended, MAIN, scratchFolder, start, summaryOf } from '../integration/ganglion.ts';

const scratch = scratchFolder('hung-gpu');
const MODEL = '--steps 4 --batch 4 --shards 2 --latent 16 --seed 7 --metrics-port off --evaluate-every off'.split(' ');

/** From the line of step 1 on the GPU fails so. */
const failing = (how: string): string[] => [
  '--import',
  `data:text/javascript,
import { isMainThread } from 'node:worker_threads';
const { stdout } = process;
const write = stdout.write.bind(stdout);
if (isMainThread) stdout.write = (text, ...others) => {
  if (String(text).startsWith('step 1/')) process.env.GANGLION_CUDA_FAIL = '${how}';
  return write(text, ...others);
};`,
];
/** No work of the GPU ends. */
const HANG = failing('cuStreamQuery:600');
/** Replicas alone make this call, and this process none before they have not returned from it. */
const STUCK = failing('cuGraphLaunch:hang');

async function run(name: string, flags: readonly string[], node: readonly string[], env = {}): Promise<Ended> {
  const args = [...node, MAIN, 'train', ...MODEL, ...flags, '--run', scratch(name)];
  const ended = await start(process.execPath, args, {
    env: { GANGLION_CUDA: 'emulated', GANGLION_CUDA_WAIT: '2000', ...env },
  }).ended;
  const { exitCode, stdout } = ended;
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining('finished at step 4 of 4') });
  return ended;
}

async function train(name: string, flags: readonly string[], node: readonly string[] = [], env = {}): Promise<string> {
  await run(name, flags, node, env);
  return String(summaryOf(scratch(name)).stateSha256);
}

const eventsOf = (name: string): string => readFileSync(join(scratch(name), 'events.jsonl'), 'utf8');

let expected: string;
beforeAll(async () => {
  expected = await train('expected', ['--backend', 'cpu', '--workers', '1']);
});

it('a GPU with the state that hangs is given up, the run ends in the same hash, and the process ends', async () => {
  expect(await train('state', ['--devices', 'cuda:0', '--workers', '1'], HANG)).toBe(expected);
  expect(eventsOf('state')).toMatch(
    /the GPU that holds the state is lost: the GPU (does not answer|has not answered for 2 s); going on with cpu/,
  );
});

it('a GPU that hangs beside the CPU, which takes over its shards, holds neither the run nor the end of its process', async () => {
  expect(await train('beside', ['--devices', 'cuda:0,cpu', '--workers', '2'], HANG)).toBe(expected);
});

it('a GPU that hangs beside the one with the state holds neither the run nor the end of its process', async () => {
  const flags = ['--devices', 'cuda:0,cuda:1', '--workers', '2'];
  const how = failing('cuStreamQuery:600:0:1');
  expect(await train('second', flags, how, { GANGLION_CUDA_DEVICES: '2' })).toBe(expected);
  expect(eventsOf('second')).not.toContain('that holds the state is lost');
});

// The deadline of a shard is 10 s or more: the two wait for it side by side.
it('so it ends where a replica is late before the GPU counts as lost, and where its thread never comes back', async () => {
  const alone = ['--devices', 'cuda:0', '--workers', '1'];
  const [late, stuck] = await Promise.all([
    train('late', alone, HANG, { GANGLION_CUDA_WAIT: '20000' }),
    train('stuck', alone, STUCK),
  ]);
  expect([late, stuck]).toEqual([expected, expected]);
  expect(eventsOf('stuck')).toMatch(/gave no answer in \d+ ms \(deadline\)/);
  for (const name of ['late', 'stuck'])
    expect(eventsOf(name)).toMatch(/the GPU that holds the state is lost: .+; going on with cpu/);
});

it('a thread that is stuck beside the CPU does not hold the end of the process, whose output is whole', async () => {
  const { stdout } = await run('stuck-beside', ['--devices', 'cuda:0,cpu', '--workers', '2'], STUCK);
  expect(stdout.trimEnd().split('\n').at(-1)).toBe(`report: ${join(scratch('stuck-beside'), 'report.html')}`);
  expect(summaryOf(scratch('stuck-beside')).stateSha256).toBe(expected);
});

it('a process that is stuck in a call of the driver is killed, and the next one computes its shard', async () => {
  const alone = ['--devices', 'cuda:0', '--workers', '1', '--isolation', 'process'];
  expect(await train('process', alone, [], { GANGLION_CUDA_FAIL: 'cuGraphLaunch:hang:30' })).toBe(expected);
  expect(eventsOf('process')).toMatch(/gave no answer in \d+ ms \(deadline\)/);
});
