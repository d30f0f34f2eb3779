import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toDataset } from '../../../../coordinator/data/dataset.ts';
import { errorOf } from '../../scratch.ts';

const images = Uint8Array.from({ length: 2 * 784 }, (_, i) => (i * 31) % 256);
const labels = Uint8Array.of(3, 9);

describe('toDataset', () => {
  it('shares the images and hashes them, with labels or without', () => {
    const dataset = toDataset('two', images, labels, [28, 28, 1]);
    expect(dataset.images.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect([...dataset.images]).toEqual([...images]);
    expect([...dataset.labels]).toEqual([3, 9]);
    expect([dataset.name, dataset.count]).toEqual(['two', 2]);
    expect(dataset.sha256).toBe(createHash('sha256').update(images).digest('hex'));
    const unlabelled = toDataset('two', images, new Uint8Array(0), [28, 28, 1]);
    expect([unlabelled.count, unlabelled.labels.length, unlabelled.sha256]).toEqual([2, 0, dataset.sha256]);
  });

  it('does not copy images that are shared already', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(784));
    expect(toDataset('one', shared, Uint8Array.of(1), [28, 28, 1]).images).toBe(shared);
  });

  it('refuses labels that do not fit the images', async () => {
    expect(await errorOf(() => toDataset('two', images, Uint8Array.of(3), [28, 28, 1]))).toBe(
      'shape: dataset two: expected 1 x 784 pixels for 1 labels, got 1568',
    );
    expect(await errorOf(() => toDataset('none', new Uint8Array(0), new Uint8Array(0), [28, 28, 1]))).toBe(
      'shape: dataset none: expected 0 x 784 pixels for 0 labels, got 0',
    );
  });
});
