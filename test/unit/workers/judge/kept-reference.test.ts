// The reference in the cache: whatever lies in its place, an evaluation has the right figures.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadMnistPackage } from '../../../../coordinator/data/mnist-package.ts';
import { toRealImages } from '../../../../coordinator/evaluation/real-images.ts';
import type { RealImages } from '../../../../shared/evaluation.ts';
import { Classifier } from '../../../../workers/judge/classifier.ts';
import { cachedReference, computeReference } from '../../../../workers/judge/reference.ts';
import { scratchFolder } from '../../scratch.ts';

const COUNT = 20;
const all = toRealImages(loadMnistPackage());
const few = (from: number) => ({ ...all.reference, indices: all.reference.indices.subarray(from, from + 40) });
const real: RealImages = { ...all, reference: few(0), others: few(40), labels: null };
const classifier = new Classifier();
const expected = computeReference(classifier, real, COUNT);

it.each<[what: string, put: (path: string) => void]>([
  ['nothing', () => {}],
  ['a part of it', (path) => truncateSync(path, statSync(path).size / 2)],
  ['other bytes', (path) => writeFileSync(path, Buffer.alloc(1000, 7))],
  ['a pipe', (path) => execFileSync('sh', ['-c', `rm '${path}'; mkfifo '${path}'`])],
  ['a file without an end', (path) => truncateSync(path, 2 ** 40)],
])('%s in its place: computed again, and kept', (_, put) => {
  const cache = scratchFolder();
  const kept = (): Buffer => readFileSync(join(cache, 'judge', readdirSync(join(cache, 'judge'))[0] ?? ''));
  expect(cachedReference(classifier, real, COUNT, cache)).toEqual(expected);
  const bytes = kept();
  const path = join(cache, 'judge', readdirSync(join(cache, 'judge'))[0] ?? '');
  put(path);
  expect(cachedReference(classifier, real, COUNT, cache)).toEqual(expected);
  expect(kept().equals(bytes)).toBe(true);
  expect(readdirSync(join(cache, 'judge'))).toHaveLength(1);
});

it('a folder in its place: computed every time, and nothing else is left', () => {
  const cache = scratchFolder();
  cachedReference(classifier, real, COUNT, cache);
  const [name = ''] = readdirSync(join(cache, 'judge'));
  rmSync(join(cache, 'judge', name));
  mkdirSync(join(cache, 'judge', name));
  expect(cachedReference(classifier, real, COUNT, cache)).toEqual(expected);
  expect(readdirSync(join(cache, 'judge'))).toEqual([name]);
});

it('that of a cache that others may write is not read', () => {
  const cache = scratchFolder();
  const other = computeReference(classifier, { ...real, reference: few(80) }, COUNT);
  cachedReference(classifier, { ...real, reference: few(80) }, COUNT, cache); // another's figures under this name
  expect(cachedReference(classifier, real, COUNT, cache)).toEqual(other);
  chmodSync(cache, 0o777);
  expect(cachedReference(classifier, real, COUNT, cache)).toEqual(expected);
});
