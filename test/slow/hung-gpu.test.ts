// A kernel that hangs in the middle of a run, in the emulation, where calls of the driver that wait for a GPU then wait, too: the run goes on
// elsewhere, to the same hash, and its process ends.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { MAIN, scratchFolder, start, summaryOf } from '../integration/ganglion.ts';

const scratch = scratchFolder('hung-gpu');
const MODEL = '--steps 4 --batch 8 --shards 4 --latent 16 --seed 7 --metrics-port off --evaluate-every off'.split(' ');

/** From the line of step 1 on, no work of the GPU ends. */
const HANG = `data:text/javascript,
import { isMainThread } from 'node:worker_threads';
const { stdout } = process;
const write = stdout.write.bind(stdout);
if (isMainThread) stdout.write = (text, ...others) => {
  if (String(text).startsWith('step 1/')) process.env.GANGLION_CUDA_FAIL = 'cuStreamQuery:600';
  return write(text, ...others);
};`;

async function train(name: string, flags: readonly string[], node: readonly string[] = []): Promise<string> {
  const args = [...node, MAIN, 'train', ...MODEL, ...flags, '--run', scratch(name)];
  const env = { GANGLION_CUDA: 'emulated', GANGLION_CUDA_WAIT: '2000' };
  const { exitCode, stdout } = await start(process.execPath, args, { env }).ended;
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining('finished at step 4 of 4') });
  return String(summaryOf(scratch(name)).stateSha256);
}

let expected: string;
beforeAll(async () => {
  expected = await train('expected', ['--backend', 'cpu', '--workers', '1']);
}, 120_000);

it('a GPU with the state that hangs is given up, the run ends in the same hash, and the process ends', async () => {
  expect(await train('state', ['--devices', 'cuda:0', '--workers', '1'], ['--import', HANG])).toBe(expected);
  expect(readFileSync(join(scratch('state'), 'events.jsonl'), 'utf8')).toMatch(
    /the GPU that holds the state is lost: the GPU (does not answer|has not answered for 2 s); going on with cpu/,
  );
});

it('a GPU that hangs beside the CPU, which takes over its shards, holds neither the run nor the end of its process', async () => {
  expect(await train('beside', ['--devices', 'cuda:0,cpu', '--workers', '2'], ['--import', HANG])).toBe(expected);
});
