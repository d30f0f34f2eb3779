// Keeps the newest checkpoints of a run, and the best one, and removes older ones, after a new one has its name: a crash at any moment leaves more, never less.
import { lstatSync, statSync } from 'node:fs';
import { GanglionError } from '../../shared/error.ts';
import { removeFileSync } from '../files/atomic-file.ts';
import { bestFirst, type Distances } from './best-checkpoint.ts';
import { listCheckpoints, readCheckpoint } from './checkpoint.ts';

export class CheckpointPruner {
  /** Size, time and place of every file that was valid then. */
  readonly #valid = new Map<string, string>();

  /** To be told of a checkpoint that was just written, which need not be read again. */
  written(path: string): void {
    this.#valid.set(path, stampOf(path));
  }

  /**
   * Removes every checkpoint older than the newest `keep` valid ones. One that does not verify counts for none, and what is no file stays.
   *
   * @param keep at least 1
   * @param distances the best valid one by these stays, too
   * @throws GanglionError when the folder cannot be read, or a file not be removed
   */
  prune(folder: string, keep: number, distances: Distances = new Map()): void {
    const paths = listCheckpoints(folder);
    let valid = 0;
    const older = paths.filter((path) => {
      if (valid === keep) return true;
      if (this.#isValid(path)) valid += 1;
      return false;
    });
    const best = bestFirst(paths, distances).find((path) => this.#isValid(path));
    for (const path of older.toReversed()) {
      if (path === best) continue;
      if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) continue;
      removeFileSync(path);
      this.#valid.delete(path);
    }
  }

  #isValid(path: string): boolean {
    try {
      if (this.#valid.get(path) === stampOf(path)) return true;
      readCheckpoint(path);
      this.written(path);
      return true;
    } catch (error) {
      if (error instanceof GanglionError) return false;
      throw error;
    }
  }
}

function stampOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats ? `${stats.ino} ${stats.size} ${stats.mtimeMs}` : 'gone';
}
