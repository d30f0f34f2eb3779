import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { nameOfKnown } from '../../../../coordinator/data/known-sets.ts';
import { openContent } from '../../../../coordinator/data/source-file.ts';

it('a file has the hashes of itself, not of what is packed in it, at its end', async () => {
  const bytes = gzipSync(Buffer.alloc(100_000, 'digits'));
  const { reader, hashes } = await openContent({ name: 'a', path: 'a', read: () => pieces(bytes) });
  expect(hashes()).toEqual([]);
  expect(await reader.drain()).toBe(100_000);
  expect(hashes()).toEqual(['md5', 'sha256'].map((name) => createHash(name).update(bytes).digest('hex')));
});

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += 7) yield bytes.subarray(i, i + 7);
}

it('a set is named by the hash of its pixels first, else by that of its file', () => {
  const mnist = 'edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b';
  const fashion = ['8d4fb7e6c68d591d4c3dfef9ec88bf0d', 'sha'];
  const letters = ['md5', '6288f418a917e007bf5fddb823a2dc7a5c6a35031401b93292a539cb12bd881f'];
  expect(nameOfKnown('other', fashion)).toBe('Fashion-MNIST (60,000 training images)');
  expect(nameOfKnown('other', letters)).toBe('EMNIST letters (124,800 training images)');
  expect(nameOfKnown(mnist, letters)).toBe('MNIST (60,000 training images)');
  expect(nameOfKnown('other', ['md5', 'sha'])).toBeUndefined();
});
