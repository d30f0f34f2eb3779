// A GPU whose memory is full when a replica has to start again, in the emulation: after some tries the run goes on elsewhere, to the same hash.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MAIN, scratchFolder, start, summaryOf } from '../integration/ganglion.ts';

const scratch = scratchFolder('full-gpu');
const MODEL = '--steps 4 --batch 8 --shards 4 --latent 16 --seed 7 --metrics-port off --evaluate-every off'.split(' ');

/** From the first thread on that is killed, none gets memory of the GPU. */
const FILL = `data:text/javascript,process.on('worker', (worker) => worker.on('exit', (code) => {
  if (code === 137) process.env.GANGLION_CUDA_FAIL = 'cuMemAlloc:2';
}))`;

async function train(name: string, flags: readonly string[]): Promise<string> {
  const args = ['--import', FILL, MAIN, 'train', ...MODEL, ...flags, '--run', scratch(name)];
  const { exitCode, stderr } = await start(process.execPath, args, { env: { GANGLION_CUDA: 'emulated' } }).ended;
  expect([exitCode, stderr.replaceAll(/^ganglion: replica.*\n/gm, '')]).toEqual([0, '']);
  return String(summaryOf(scratch(name)).stateSha256);
}

it('a GPU that has no memory for the only replica is left: the state comes down, and no step is computed again', async () => {
  writeFileSync(scratch('faults.json'), JSON.stringify([{ kind: 'kill', step: 1, pass: 'fake' }]));
  const expected = await train('expected', ['--backend', 'cpu', '--workers', '1']);
  const flags = ['--devices', 'cuda:0', '--workers', '1', '--fault', scratch('faults.json')];
  expect(await train('full', flags)).toBe(expected);
  expect(readFileSync(join(scratch('full'), 'events.jsonl'), 'utf8')).toMatch(
    /the GPU that holds the state is full: .+OUT_OF_MEMORY \(2\); going on with cpu from step 1"/,
  );
});
