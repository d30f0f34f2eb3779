// Images for nodes that do not have them: the first one sends them, piece by piece, where a node's path leads nowhere. Nodes that have them
// take part, as every operation is one of all nodes, and keep nothing.

import { existsSync } from 'node:fs';
import { z } from 'zod';
import { sizeOf } from '../../shared/model/shape.ts';
import { type Dataset, toDataset } from '../data/dataset.ts';
import { allocateImages } from '../data/memory.ts';
import { checkFirst, sendToAll, share, together } from '../nodes/messages.ts';
import type { Communicator } from '../training/communicator.ts';

/** Bytes of a message: a node that has the data needs so much memory beside it. */
const PIECE_BYTES = 16 * 2 ** 20;

/** Images with their labels, held-out ones behind those to train on. */
type Part = Pick<Dataset, 'images' | 'labels' | 'count'>;

const Facts = z.object({
  name: z.string(),
  imageShape: z.tuple([z.int(), z.int(), z.int()]),
  classNames: z.array(z.string()),
  preparation: z.string().nullable(),
  parts: z.array(z.object({ count: z.int(), labels: z.int(), labelBytes: z.literal([1, 4]) })).min(1),
});
type Facts = z.infer<typeof Facts>;

/** Whether a node has to be sent the images of a path: there is nothing at all. What is there and cannot be read is a mistake. */
export function lacksData({ data }: { readonly data: string | null }): boolean {
  return data !== null && !existsSync(data);
}

/** The first node's part of {@link receiveData}. @throws GanglionError */
export async function handOutData(nodes: Communicator, dataset: Dataset): Promise<void> {
  if (!(await isWanted(nodes, false))) return;
  const { name, imageShape, classNames, preparation, heldOut } = dataset;
  const parts = heldOut ? [dataset, heldOut] : [dataset];
  const sizes = parts.map(({ count, labels }) => {
    return { count, labels: labels.length, labelBytes: labels.BYTES_PER_ELEMENT };
  });
  const facts = { name, imageShape, classNames, preparation, parts: sizes };
  await sendToAll(nodes, new TextEncoder().encode(JSON.stringify(facts)));
  await together(nodes, async () => {}); // the others make room
  for (const bytes of parts.flatMap(bytesOf)) await copy(nodes, bytes.length, bytes);
}

/**
 * Receives the first node's images, if this node or another lacks them.
 *
 * @param isMissing whether this node does
 * @returns undefined where it does not
 * @throws GanglionError `data` when they do not fit into a node's memory, `nodes` when a node is lost
 */
export async function receiveData(nodes: Communicator, isMissing: boolean): Promise<Dataset | undefined> {
  const [first] = nodes.members;
  const isSent = await isWanted(nodes, isMissing);
  checkFirst(nodes, first);
  if (!isSent) return undefined;
  const facts = Facts.parse(JSON.parse(new TextDecoder().decode(await sendToAll(nodes, new Uint8Array()))));
  const { name, imageShape, classNames, preparation } = facts;
  const size = sizeOf(imageShape);
  const parts = await together(nodes, async () => (isMissing ? allocate(facts, size) : undefined));
  checkFirst(nodes, first);
  const lengths = facts.parts.flatMap(({ count, labels, labelBytes }) => [count * size, labels * labelBytes]);
  const into = parts?.flatMap(bytesOf);
  for (const [i, length] of lengths.entries()) await copy(nodes, length, into?.[i]);
  const [trained, heldOut] = parts ?? [];
  if (!trained) return undefined;
  const dataset = toDataset(name, trained.images, trained.labels, imageShape, { classNames, preparation });
  return heldOut ? { ...dataset, heldOut } : dataset;
}

async function isWanted(nodes: Communicator, isMissing: boolean): Promise<boolean> {
  return (await share(nodes, isMissing)).includes(true);
}

function allocate({ name, parts }: Facts, size: number): Part[] {
  return parts.map(({ count, labels, labelBytes }) => ({
    images: allocateImages(count, size, name),
    labels: labelBytes === 1 ? new Uint8Array(labels) : new Uint32Array(labels),
    count,
  }));
}

function bytesOf({ images, labels }: Part): Uint8Array[] {
  return [images, labels].map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength));
}

/** @param bytes of the first node, or where they go; undefined keeps nothing */
async function copy(nodes: Communicator, length: number, bytes: Uint8Array | undefined): Promise<void> {
  for (let from = 0; from < length; from += PIECE_BYTES) {
    const piece = bytes?.subarray(from, Math.min(from + PIECE_BYTES, length)) ?? new Uint8Array();
    const sent = await sendToAll(nodes, piece);
    if (sent !== piece) bytes?.set(sent, from);
  }
}
