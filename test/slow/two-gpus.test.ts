// Two GPUs, in the emulation: what a step copies, and faults and audits of replicas that share both.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { MAIN, scratchFolder, start, summaryOf } from '../integration/ganglion.ts';

const scratch = scratchFolder('two-gpus');
const EMULATED = { GANGLION_CUDA: 'emulated', GANGLION_CUDA_DEVICES: '2' };
const MODEL = '--steps 3 --batch 8 --shards 4 --latent 16 --seed 7 --metrics-port off --evaluate-every off'.split(' ');

async function hashOf(name: string, flags: readonly string[]): Promise<string> {
  const args = [MAIN, 'train', ...MODEL, ...flags, '--run', scratch(name)];
  const { exitCode, stdout } = await start(process.execPath, args, { env: { ...EMULATED, GANGLION_CUDA_LATE: '1' } })
    .ended;
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
