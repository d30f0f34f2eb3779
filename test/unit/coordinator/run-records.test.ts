import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { checkpointName, listCheckpoints } from '../../../coordinator/checkpoint.ts';
import { toDataset } from '../../../coordinator/data/dataset.ts';
import { toRunConfig } from '../../../coordinator/run-config.ts';
import { createRunFolder, JsonLines } from '../../../coordinator/run-folder.ts';
import { RunRecords } from '../../../coordinator/run-records.ts';
import { mergeSettings } from '../../../coordinator/settings.ts';
import { scratchFolder } from '../data/scratch.ts';
import { madeUpState } from './made-up-state.ts';

it('brings the log to the disk before each checkpoint, which is written once a step', () => {
  const folder = createRunFolder(join(scratchFolder(), 'run'));
  const log = new JsonLines(folder.metrics);
  const dataset = toDataset('two digits', new Uint8Array(2 * 784), Uint8Array.of(3, 4));
  const config = toRunConfig(mergeSettings({ steps: 9 }), dataset);
  const state = madeUpState(5);
  const records = new RunRecords({
    config,
    folder,
    log,
    state,
    lastStep: 9,
    perEpoch: 1,
    sample: async () => new Float32Array(),
    onCheckpoint: () => {},
  });
  const there: string[][] = [];
  const sync = vi.spyOn(log, 'sync').mockImplementation(() => {
    there.push(listCheckpoints(folder.checkpoints));
  });
  expect(records.checkpoint()).toBe(records.checkpoint());
  expect(sync).toHaveBeenCalledOnce();
  expect(there).toEqual([[]]);
  expect(listCheckpoints(folder.checkpoints)).toEqual([join(folder.checkpoints, checkpointName(5))]);
  log.close();
});
