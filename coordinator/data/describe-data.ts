// What there is to know of a dataset before training on it.
import { createHash } from 'node:crypto';
import type { Dataset } from './dataset.ts';

/** A class and its images. */
export interface ClassCount {
  readonly name: string;
  readonly count: number;
}

/** The classes of a dataset in the order of their numbers; none where it has none. */
export function classesOf({ labels, classNames }: Dataset): ClassCount[] {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const numbers = [...counts.keys()].sort((a, b) => a - b);
  return numbers.map((number) => ({ name: classNames[number] ?? String(number), count: counts.get(number) ?? 0 }));
}

/** Images that are equal to an earlier one, to the bit. */
export function countDuplicates({ images, count }: Dataset): number {
  const size = images.length / count;
  const seen = new Set<string>();
  for (let i = 0; i < count; i++) {
    seen.add(
      createHash('sha1')
        .update(images.subarray(i * size, (i + 1) * size))
        .digest('base64'),
    );
  }
  return count - seen.size;
}
