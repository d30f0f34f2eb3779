// A checkpoint by what a user names: its file, or a run.
import { statSync } from 'node:fs';
import { type Checkpoint, newestCheckpoint, readCheckpoint } from '../checkpoints/checkpoint.ts';
import { fromSystemError } from '../files/atomic-file.ts';
import { runFolderAt } from './run-folder.ts';

/**
 * @param path checkpoint file, or folder of a run, of which it is the newest valid one
 * @param onNotice receives a message for every newer one that does not verify
 * @throws GanglionError `checkpoint` when there is none
 */
export function openCheckpoint(path: string, onNotice: (message: string) => void): Checkpoint {
  if (!isFolder(path)) return readCheckpoint(path);
  return newestCheckpoint(runFolderAt(path).checkpoints, (message) => onNotice(`${message}; using the previous one`));
}

function isFolder(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch (error) {
    throw fromSystemError(`cannot read ${path}`, error, 'checkpoint');
  }
}
