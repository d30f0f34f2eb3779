// Makes or opens a run's folder, and writes what is there before the first step.
import { join } from 'node:path';
import { checkpointName, writeCheckpoint } from '../checkpoints/checkpoint.ts';
import type { LockTicket } from '../files/run-lock.ts';
import { removeAnimation } from '../run-folder/animation.ts';
import { REAL_SAMPLE } from '../run-folder/pictures.ts';
import {
  checkNewRunFolder,
  createRunFolder,
  makeFolders,
  type RunFolder,
  removeSummary,
  removeTemporaries,
  runFolderAt,
  setOddAside,
  writeJson,
} from '../run-folder/run-folder.ts';
import type { RunHost, RunPlan } from './run-plan.ts';
import { writeRealGrid } from './samples.ts';

/** @throws GanglionError when the folder cannot be used */
export async function openRunFolder(
  { config, path, resumed, dataset, state }: RunPlan,
  { lock }: Pick<RunHost, 'lock'>,
): Promise<{ readonly folder: RunFolder; readonly ticket: LockTicket }> {
  const folder = resumed ? runFolderAt(path) : createRunFolder(path);
  const ticket = await lock();
  if (!resumed) checkNewRunFolder(path); // another process may have begun a run here a moment ago
  makeFolders(folder);
  removeTemporaries(folder);
  setOddAside(folder, state.step);
  writeJson(folder.config, config);
  removeSummary(folder); // of the end before a resume
  removeAnimation(folder.samples);
  if (state.step === 0) {
    // The first checkpoint before the first step: a run killed at any moment can be resumed.
    writeCheckpoint(join(folder.checkpoints, checkpointName(state.step)), state, JSON.stringify(config));
    writeRealGrid(join(folder.samples, REAL_SAMPLE), config.seed, dataset);
  }
  return { folder, ticket };
}
