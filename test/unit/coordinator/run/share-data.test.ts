import { expect, it } from 'vitest';
import { toDataset } from '../../../../coordinator/data/dataset.ts';
import { handOutData, lacksData, receiveData } from '../../../../coordinator/run/share-data.ts';
import { localNodes } from '../training/local-nodes.ts';

const IMAGES = Uint8Array.from({ length: 5 * 4 * 4 * 3 }, (_, i) => i);
const FACTS = { classNames: ['cat', 'dog'], preparation: 'resized to 4 x 4' };

/** What the second and third of three nodes get, of which some lack the data. */
async function shared(dataset: ReturnType<typeof toDataset>, missing: readonly boolean[]) {
  const [first, ...others] = localNodes(3);
  if (!first) throw new Error('three nodes');
  const received = others.map((nodes, i) => receiveData(nodes, missing[i] ?? false));
  await Promise.all([handOutData(first, dataset), ...received]);
  return await Promise.all(received);
}

it('gives a node that lacks them the images, labels and names; the others keep theirs', async () => {
  const dataset = toDataset('pets', IMAGES, Uint32Array.of(1, 0, 1, 0, 70_000), [4, 4, 3], FACTS);
  const [second, third] = await shared(dataset, [false, true]);
  expect(second).toBeUndefined();
  expect(third).toEqual(dataset);
  expect(third?.images.buffer).toBeInstanceOf(SharedArrayBuffer);
});

it('gives the held-out ones, and images without labels', async () => {
  const heldOut = { images: IMAGES.subarray(0, 48).slice(), labels: Uint8Array.of(9), count: 1 };
  const dataset = { ...toDataset('none', IMAGES, new Uint8Array(), [4, 4, 3]), heldOut };
  const [second, third] = await shared(dataset, [true, true]);
  expect([second, third]).toEqual([dataset, dataset]);
});

it('sends more than one piece', async () => {
  const images = new Uint8Array(4 * 2048 * 2048 * 2);
  for (let i = 0; i < images.length; i += 4099) images[i] = i;
  const dataset = toDataset('large', images, new Uint8Array(), [2048, 2048, 1]);
  const [second] = await shared(dataset, [true, false]);
  expect([second?.sha256, second?.count]).toEqual([dataset.sha256, 8]);
});

it('sends nothing when all have the data', async () => {
  expect(await shared(toDataset('a', IMAGES, new Uint8Array(), [4, 4, 3]), [false, false])).toEqual([
    undefined,
    undefined,
  ]);
});

it('is wanted where a path leads nowhere', () => {
  expect([lacksData({ data: null }), lacksData({ data: import.meta.dirname }), lacksData({ data: '/none' })]).toEqual([
    false,
    false,
    true,
  ]);
});
