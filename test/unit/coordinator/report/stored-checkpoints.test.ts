import { mkdirSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkpointName, stateSha256, writeCheckpoint } from '../../../../coordinator/checkpoints/checkpoint.ts';
import { readCheckpoints } from '../../../../coordinator/report/stored-checkpoints.ts';
import { scratchFolder } from '../../scratch.ts';
import { madeUpState } from '../made-up-state.ts';

it('lists what the headers say, newest first, without reading the tensors', async () => {
  const folder = join(scratchFolder(), 'checkpoints');
  mkdirSync(folder);
  for (const step of [3, 12]) writeCheckpoint(join(folder, checkpointName(step)), madeUpState(step), '{}');
  const { size } = statSync(join(folder, checkpointName(3)));
  truncateSync(join(folder, checkpointName(3)), size / 2);
  writeFileSync(join(folder, checkpointName(5)), 'cut');
  const { checkpoints, more } = await readCheckpoints(folder);
  expect(more).toBe(0);
  expect(checkpoints.map(({ step, bytes, stateSha256: hash }) => [step, bytes, hash])).toEqual([
    [12, size, stateSha256(madeUpState(12))],
    [5, 3, null],
    [3, Math.floor(size / 2), stateSha256(madeUpState(3))],
  ]);
});

it('lists the newest 50 and counts the others', async () => {
  const folder = join(scratchFolder(), 'checkpoints');
  mkdirSync(folder);
  for (let step = 1; step <= 60; step++) writeFileSync(join(folder, checkpointName(step)), Buffer.alloc(8, 255));
  const { checkpoints, more } = await readCheckpoints(folder);
  expect([checkpoints.length, more, checkpoints[0]?.name]).toEqual([50, 10, 'step-00000060.safetensors']);
});

it('lists what cannot be read as that', async () => {
  const folder = join(scratchFolder(), 'checkpoints');
  mkdirSync(folder);
  mkdirSync(join(folder, checkpointName(2)));
  symlinkSync(join(folder, 'nothing'), join(folder, checkpointName(1)));
  const { checkpoints } = await readCheckpoints(folder);
  expect(checkpoints.map(({ step, stateSha256: hash }) => [step, hash])).toEqual([
    [2, null],
    [1, null],
  ]);
});
