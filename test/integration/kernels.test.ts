// The kernels of AVX-512 and of AVX2 train to the same bits, in threads and processes; TensorFlow to others, and a run goes on from either.
import { expect, it } from 'vitest';
import { hasTensorflow } from '../unit/workers/engines/tensorflow/ready.ts';
import { KERNELS, oneTo, recordsOf, scratchFolder, stepsOf, succeed, summaryOf } from './ganglion.ts';

const scratch = scratchFolder('kernels');
const MODEL = ['--batch', '32', '--shards', '4', '--latent', '20', '--seed', '7', '--metrics-port', 'off'];
const STEPS = 6;

async function train(name: string, kernels: string, ...flags: string[]): Promise<Record<string, unknown>> {
  const run = scratch(name);
  await succeed(['train', ...flags, '--run', run], { env: { GANGLION_KERNELS: kernels } });
  return summaryOf(run);
}

it('the state has the same bits with every instruction set, in threads and processes', async () => {
  const steps = [...MODEL, '--steps', String(STEPS)];
  const two = [...steps, '--workers', '2'];
  const { engine, libraryVersion } = KERNELS;
  const runs = [
    [await train('widest', 'on', ...steps, '--workers', '1'), engine],
    [await train('widest-threads', 'on', ...two), engine],
    [await train('widest-processes', 'on', ...two, '--isolation', 'process'), engine],
    [await train('avx2', 'avx2', ...steps, '--workers', '1'), 'kernels-avx2'],
    [await train('avx2-processes', 'avx2', ...two, '--isolation', 'process'), 'kernels-avx2'],
  ] as const;
  for (const [summary, name] of runs) {
    expect(summary).toMatchObject({ step: STEPS, engine: name, libraryVersion, restarts: 0, lostSteps: 0 });
  }
  expect(new Set(runs.map(([{ stateSha256 }]) => stateSha256)).size).toBe(1);
});

it('60 steps of seed 7 end in the hash that every processor must give', async () => {
  for (const kernels of ['on', 'avx2']) {
    const { stateSha256 } = await train(
      `golden-${kernels}`,
      kernels,
      '--steps',
      '60',
      '--seed',
      '7',
      '--metrics-port',
      'off',
    );
    expect(stateSha256).toBe('e4c59dc7ff53e71a0b5c002a5cf17aaa76e16b6942d56ecb6820218f5f0bfee1');
  }
});

it.skipIf(!hasTensorflow)(
  'TensorFlow gives other bits, and losses as near as those; a run of it goes on by kernels',
  async () => {
    const tensorflow = await train('tensorflow', 'on', ...MODEL, '--backend', 'tensorflow', '--steps', '3');
    expect(tensorflow).toMatchObject({ step: 3, engine: expect.stringMatching(/^tensorflow-(cpu|gpu)$/) });
    const kernels = await train('kernels', 'on', ...MODEL, '--steps', '3');
    expect(kernels.stateSha256).not.toBe(tensorflow.stateSha256);
    const losses = (name: string) => recordsOf(scratch(name)).flatMap((record) => [record.lossDReal, record.lossG]);
    const theirs = losses('tensorflow');
    expect(theirs.length).toBe(6);
    for (const [i, loss] of losses('kernels').entries()) expect(loss).toBeCloseTo(Number(theirs[i]), 3);

    const run = scratch('tensorflow');
    const said = await succeed(['train', '--resume', run, '--steps', String(STEPS), '--backend', 'auto']);
    expect(said).toContain('step 3 was computed on tensorflow, from here it is cpu: the bits will differ');
    expect(summaryOf(run)).toMatchObject({ step: STEPS, ...KERNELS, lostSteps: 0, repeatedSteps: 0 });
    expect(stepsOf(run)).toEqual(oneTo(STEPS));
  },
);
