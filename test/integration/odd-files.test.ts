// Something else in the place of a file that a command reads: one line, no stack, no waiting; an older checkpoint is used.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { checkpointPath, ganglion, oneTo, scratchFolder, stepsOf, succeed } from './ganglion.ts';

const scratch = scratchFolder('odd-files');
const SMALL = ['--workers', '1', '--batch', '32', '--shards', '4', '--latent', '16', '--metrics-port', 'off'] as const;

const pipe = (path: string): void => void execFileSync('mkfifo', [path]);

it('a pipe as the newest checkpoint is said, and the one before is resumed, to the same step', async () => {
  const run = scratch('run');
  await succeed(['train', ...SMALL, '--steps', '4', '--checkpoint-every', '2', '--run', run]);
  rmSync(checkpointPath(run, 4));
  pipe(checkpointPath(run, 4));
  const seen = await ganglion(['inspect', run]);
  expect(seen).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/^[^\n]+1 of 3 checkpoints invalid\n$/) });
  const resumed = await ganglion(['train', '--resume', run]);
  const said = /^[^\n]+step-00000004\.safetensors: expected a file, got a pipe; using the previous one\n$/;
  expect(resumed).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(said) });
  expect(stepsOf(run)).toEqual(oneTo(4));
  expect(readdirSync(`${run}/checkpoints`)).toContain('step-00000004.safetensors.odd');
  await succeed(['inspect', run]);
});

it('a pipe as config, as plan of faults and as data is refused in a line', async () => {
  mkdirSync(scratch('data'));
  pipe(scratch('pipe'));
  const files = [
    'train-images-idx3-ubyte',
    'train-labels-idx1-ubyte',
    't10k-images-idx3-ubyte',
    't10k-labels-idx1-ubyte',
  ];
  for (const file of files) pipe(scratch('data', file));
  const said = [];
  for (const [flag, path] of [
    ['--config', 'pipe'],
    ['--fault', 'pipe'],
    ['--data', 'data'],
  ] as const) {
    said.push(await ganglion(['train', flag, path, '--run', 'new', '--metrics-port', 'off'], { cwd: scratch() }));
  }
  for (const one of said) {
    expect(one).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/^ganglion: [^\n]+got a pipe\n$/) });
  }
});
