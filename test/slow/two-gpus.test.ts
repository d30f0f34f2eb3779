// Two GPUs, in the emulation: what a step copies, and faults and audits of replicas that share both.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { MAIN, scratchFolder, start, summaryOf } from '../integration/ganglion.ts';

const scratch = scratchFolder('two-gpus');
const EMULATED = { GANGLION_CUDA: 'emulated', GANGLION_CUDA_DEVICES: '2' };
const MODEL = '--steps 3 --batch 8 --shards 4 --latent 16 --seed 7 --metrics-port off --evaluate-every off'.split(' ');

async function hashOf(
  name: string,
  flags: readonly string[],
  node: readonly string[] = [],
  given = {},
): Promise<string> {
  const args = [...node, MAIN, 'train', ...MODEL, ...flags, '--run', scratch(name)];
  const env = { ...EMULATED, GANGLION_CUDA_LATE: '1', ...given };
  const { exitCode, stdout } = await start(process.execPath, args, { env }).ended;
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining('finished at step 3 of 3') });
  return String(summaryOf(scratch(name)).stateSha256);
}

it('a step copies under 4 kB to and from the host', async () => {
  const script = fileURLToPath(new URL('../gpu/copies.mjs', import.meta.url));
  const { exitCode, stdout } = await start(process.execPath, [script, '8', 'cuda:0,cuda:1'], { env: EMULATED }).ended;
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringMatching(/; [1-9]\d{6} between GPUs/) });
});

it('replicas on both stand audits and faults, and work that is done late', async () => {
  const faults = [
    { kind: 'flip', step: 1, pass: 'fake' },
    { kind: 'kill', step: 1, pass: 'generator' },
    { kind: 'nan', step: 2, pass: 'real' },
  ];
  writeFileSync(scratch('faults.json'), JSON.stringify(faults));
  const cluster = ['--devices', 'cuda:0,cuda:1', '--workers', '3', '--audit', '1', '--fault', scratch('faults.json')];
  const expected = await hashOf('cpu', ['--backend', 'cpu', '--workers', '1']);
  expect(await hashOf('faults', [...cluster, '--checkpoint-every', '1'])).toBe(expected);
  expect(Number(summaryOf(scratch('faults')).restarts)).toBeGreaterThanOrEqual(2);
});

/** Once the first GPU is left, the memory of the other one is full. */
const FULL = `data:text/javascript,
import { isMainThread } from 'node:worker_threads';
const { stdout } = process;
const write = stdout.write.bind(stdout);
if (isMainThread) stdout.write = (text, ...others) => {
  if (String(text).includes('going on with cuda:1')) process.env.GANGLION_CUDA_FAIL = 'cuMemAlloc:2:0:1';
  return write(text, ...others);
};`;

it('the CPU goes on where the first is lost and no replica starts on the other one', async () => {
  const expected = await hashOf('quiet', ['--backend', 'cpu', '--workers', '1']);
  const lost = { GANGLION_CUDA_FAIL: 'cuLaunchKernel:719:14:0' };
  expect(await hashOf('last', ['--devices', 'cuda:0,cuda:1'], ['--import', FULL], lost)).toBe(expected);
  const events = readFileSync(join(scratch('last'), 'events.jsonl'), 'utf8');
  expect(events).toMatch(/cuda:1 is full: [^"]*CUDA_ERROR_OUT_OF_MEMORY \(2\)[^"]*; going on with cpu"/);
});
