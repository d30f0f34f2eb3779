// The best checkpoint of a run: of those whose step was evaluated the one with the least Fréchet distance.
import { stepOfCheckpoint } from './checkpoint.ts';

/** Fréchet distance of evaluated steps. */
export type Distances = ReadonlyMap<number, number>;

/** Checkpoint files of evaluated steps, the best first; of equal ones the earlier. */
export function bestFirst(paths: readonly string[], distances: Distances): string[] {
  const rated = paths.flatMap((path) => {
    const step = stepOfCheckpoint(path);
    const distance = distances.get(step);
    return distance === undefined ? [] : [{ path, step, distance }];
  });
  return rated.sort((a, b) => a.distance - b.distance || a.step - b.step).map(({ path }) => path);
}
