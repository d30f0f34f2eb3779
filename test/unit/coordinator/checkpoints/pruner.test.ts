import { copyFileSync, mkdirSync, readdirSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkpointName,
  newestCheckpoint,
  readCheckpoint,
  stepOfCheckpoint,
  writeCheckpoint,
} from '../../../../coordinator/checkpoints/checkpoint.ts';
import { CheckpointPruner } from '../../../../coordinator/checkpoints/pruner.ts';
import { lockRunFolder } from '../../../../coordinator/files/run-lock.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';
import { madeUpState } from '../made-up-state.ts';

/** A folder of checkpoints as a pruner that has not written them finds it. */
function folderOf(...steps: readonly number[]) {
  const folder = scratchFolder();
  const pathOf = (step: number) => join(folder, checkpointName(step));
  for (const step of steps) writeCheckpoint(pathOf(step), madeUpState(step), '{}');
  const pruner = new CheckpointPruner();
  const write = (step: number) => {
    writeCheckpoint(pathOf(step), madeUpState(step), '{}');
    pruner.written(pathOf(step));
  };
  const left = () =>
    readdirSync(folder)
      .map(stepOfCheckpoint)
      .sort((a, b) => a - b);
  return { folder, pathOf, pruner, write, left };
}

describe('CheckpointPruner', () => {
  it('keeps the newest, also of those of an earlier process, and every file that is no checkpoint', () => {
    const { folder, pruner, write, left } = folderOf(0, 2, 4, 6);
    writeFileSync(join(folder, 'notes.txt'), '');
    write(8);
    pruner.prune(folder, 9);
    expect(left()).toEqual([-1, 0, 2, 4, 6, 8]);
    pruner.prune(folder, 3);
    expect(left()).toEqual([-1, 4, 6, 8]);
    pruner.prune(folder, 1);
    expect(left()).toEqual([-1, 8]);
    pruner.prune(folder, 1);
    expect(left()).toEqual([-1, 8]);
  });

  it('keeps the best of those that were evaluated, too, as long as it is valid', () => {
    const { folder, pathOf, pruner, write, left } = folderOf(0, 2, 4, 6);
    const distances = new Map([
      [1, 0.5], // its checkpoint was never written
      [2, 7],
      [4, 5],
      [6, 9],
    ]);
    pruner.prune(folder, 2, distances);
    expect(left()).toEqual([4, 6]);
    write(8);
    pruner.prune(folder, 1, distances.set(8, 5));
    expect(left()).toEqual([4, 8]); // of equal ones the earlier
    write(10);
    pruner.prune(folder, 1, distances.set(10, 4));
    expect(left()).toEqual([10]);
    write(12);
    pruner.prune(folder, 1, distances);
    expect(left()).toEqual([10, 12]);
    truncateSync(pathOf(10), 100);
    pruner.prune(folder, 1, distances.set(12, 6));
    expect(left()).toEqual([12]);
  });

  it('counts no damaged one, also of those that it has written', () => {
    const { folder, pathOf, pruner, write, left } = folderOf(0, 2, 4, 6);
    truncateSync(pathOf(4), 100);
    write(8);
    write(10);
    truncateSync(pathOf(8), 5000);
    copyFileSync(pathOf(2), pathOf(9)); // says that it is of another step
    pruner.prune(folder, 2);
    expect(left()).toEqual([6, 8, 9, 10]); // 10 and 6 are valid; what is newer stays
    pruner.prune(folder, 1);
    expect(left()).toEqual([10]);
  });

  it('never removes the only valid one', () => {
    const { folder, pathOf, pruner, write, left } = folderOf(0, 2);
    write(4);
    for (const step of [2, 4]) truncateSync(pathOf(step), 100);
    pruner.prune(folder, 1);
    expect(left()).toEqual([0, 2, 4]);
  });

  it('leaves a folder of such a name alone', () => {
    const { folder, pathOf, pruner, write, left } = folderOf(0);
    mkdirSync(pathOf(1));
    write(2);
    pruner.prune(folder, 1);
    expect(left()).toEqual([1, 2]);
  });

  it('removes nothing from a run that another process has taken over', async () => {
    const { folder, pruner, left } = folderOf(0, 2);
    const lock = await lockRunFolder(folder);
    writeFileSync(join(folder, 'lock.json'), 'another');
    expect(await errorOf(() => pruner.prune(folder, 1))).toMatch(/was taken over by another process/);
    expect(left()).toEqual([-1, 0, 2]);
    lock.release();
  });
});

describe('newestCheckpoint, while a run removes old ones', () => {
  it('reads the list again when one of it is gone, and tells nobody', () => {
    const { folder, pathOf } = folderOf(2);
    // Between the list and the read: 4 is written, 2 removed.
    const messages: string[] = [];
    let isFirst = true;
    const read: typeof readCheckpoint = (path) => {
      if (isFirst) {
        writeCheckpoint(pathOf(4), madeUpState(4), '{}');
        unlinkSync(pathOf(2));
      }
      isFirst = false;
      return readCheckpoint(path);
    };
    expect(newestCheckpoint(folder, (message) => messages.push(message), read).state.step).toBe(4);
    expect(messages).toEqual([]);
  });
});
