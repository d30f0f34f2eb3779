// All that holds of the kernels holds of them in WebAssembly: equal bits for any number of workers, through faults and resumes; and the bits
// are those of the kernels.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { locateKernels } from '../../workers/engines/kernels/library.ts';
import {
  CHANGED,
  checkpointPath,
  configOf,
  KERNELS,
  oneTo,
  reached,
  scratchFolder,
  startGanglion,
  stepsOf,
  succeed,
  summaryOf,
} from './ganglion.ts';
import { expectNoneLeft, markOf } from './left-behind.ts';

const scratch = scratchFolder('wasm');
const MODEL = ['--batch', '32', '--shards', '4', '--latent', '16', '--seed', '7', '--metrics-port', 'off'];
const WASM = [...MODEL, '--backend', 'wasm'];
const STEPS = 6;

describe('on wasm', () => {
  const runs: [name: string, cluster: string[], faults: object[], lost: number][] = [
    ['one worker', ['--workers', '1'], [], 0],
    [
      'two threads, one killed, another with a NaN',
      ['--workers', '2'],
      [
        { kind: 'kill', step: 1, pass: 'fake', shard: 2 },
        { kind: 'nan', step: 4, pass: 'real', shard: 1 },
      ],
      2,
    ],
    ['four threads, whose bits are compared', ['--workers', '4', '--audit', '1'], [], 0],
    [
      'two processes, one killed',
      ['--workers', '2', '--isolation', 'process'],
      [{ kind: 'kill', step: 2, pass: 'generator', shard: 0 }],
      1,
    ],
  ];
  const hashes: unknown[] = [];
  const pictures: string[] = [];

  it.each(runs)('%s: the same state', async (name, cluster, faults, lost) => {
    const run = scratch(name.replaceAll(/\W+/g, '-'));
    const plan = `${run}.json`;
    writeFileSync(plan, JSON.stringify(faults));
    const flags = [
      ...WASM,
      ...cluster,
      '--steps',
      String(STEPS),
      '--samples-every',
      '3',
      '--fault',
      plan,
      '--run',
      run,
    ];
    await succeed(['train', ...flags], { env: markOf(run) });
    const summary = summaryOf(run);
    expect(summary).toMatchObject({ step: STEPS, engine: 'kernels-wasm', lostSteps: 0, repeatedSteps: 0 });
    expect(summary.restarts).toBe(lost);
    expect(stepsOf(run)).toEqual(oneTo(STEPS));
    await expectNoneLeft(run);
    hashes.push(summary.stateSha256);
    pictures.push(readFileSync(join(run, 'samples', 'step-00000006.png'), 'base64'));
    expect([new Set(hashes).size, new Set(pictures).size]).toEqual([1, 1]);
  });

  it('with kernels that do not load the coordinator computes in JavaScript, says so, and comes to the same state', async () => {
    const run = scratch('damaged-kernels');
    const env = { GANGLION_CACHE: scratch('damaged-cache') };
    const { kernelsFolder, addonPath } = locateKernels(env);
    mkdirSync(kernelsFolder, { recursive: true });
    writeFileSync(addonPath, 'damaged');
    const said = await succeed(['train', ...WASM, '--workers', '2', '--steps', String(STEPS), '--run', run], { env });
    expect(said).toMatch(
      /^the coordinator computes in JavaScript, to the same bits: \S+ is not whole; run: npm run setup$/m,
    );
    expect(summaryOf(run)).toMatchObject({ step: STEPS, stateSha256: hashes[0] });
  });

  it('killed and resumed with other workers, or on cpu: the same state', async () => {
    const run = scratch('killed');
    const flags = [...WASM, '--workers', '1', '--steps', String(STEPS), '--checkpoint-every', '2', '--run', run];
    const running = startGanglion(['train', ...flags]);
    await reached(running, run, 3);
    while (!existsSync(checkpointPath(run, 2))) await delay(5); // it is written beside the steps
    process.kill(running.pid, 'SIGKILL');
    await running.ended;
    const copy = scratch('killed-copy');
    cpSync(run, copy, { recursive: true });

    const cluster = ['--workers', '2', '--isolation', 'process'];
    expect(await succeed(['train', '--resume', run, ...cluster])).not.toMatch(CHANGED); // the setting is the run's
    expect(summaryOf(run)).toMatchObject({ step: STEPS, engine: 'kernels-wasm', stateSha256: hashes[0] });

    expect(await succeed(['train', '--resume', copy, '--backend', 'cpu'])).not.toMatch(CHANGED);
    expect(summaryOf(copy)).toMatchObject({ step: STEPS, ...KERNELS, stateSha256: hashes[0] });
  });

  it('draws the digits that the kernels draw', async () => {
    const draw = async (name: string, ...flags: string[]): Promise<Buffer> => {
      await succeed(['sample', '--run', scratch('one-worker'), '--count', '70', '--output', scratch(name), ...flags]);
      return readFileSync(scratch(name));
    };
    const [first, kernels] = await Promise.all([
      draw('first.npy'), // the setting is the run's
      draw('kernels.npy', '--backend', 'cpu'),
    ]);
    expect(first.equals(kernels)).toBe(true);
  });

  it('beside the kernels in one run, whose bits are compared: the same state', async () => {
    const run = scratch('both');
    const cluster = ['--devices', 'wasm,cpu', '--workers', '2', '--audit', '1'];
    await succeed(['train', ...MODEL, ...cluster, '--steps', String(STEPS), '--run', run]);
    expect(summaryOf(run)).toMatchObject({ step: STEPS, restarts: 0, stateSha256: hashes[0] });
  });

  it('goes on from a checkpoint of the kernels and back: the same state', async () => {
    const run = scratch('to-and-fro');
    const resume = (steps: number, backend: string): Promise<string> =>
      succeed(['train', '--resume', run, '--steps', String(steps), '--backend', backend]);
    await succeed(['train', ...MODEL, '--steps', '2', '--run', run]);
    expect(await resume(4, 'wasm')).not.toMatch(CHANGED);
    expect(summaryOf(run)).toMatchObject({ step: 4, engine: 'kernels-wasm', lostSteps: 0, repeatedSteps: 0 });
    expect(configOf(run)).toMatchObject({ backend: 'wasm', chosenBackend: 'wasm' });
    expect(await resume(STEPS, 'cpu')).not.toMatch(CHANGED);
    expect(summaryOf(run)).toMatchObject({ step: STEPS, ...KERNELS, stateSha256: hashes[0] });
    expect(stepsOf(run)).toEqual(oneTo(STEPS));
  });
});
