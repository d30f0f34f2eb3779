// What a call of a pass on a GPU has on the host: its job, and what was found.
import type { CudaBinding, NativeGpu, NativeMark } from './binding.ts';

const WORD = 4;

/** The host's memory of a call. */
export interface Call {
  /** Where jobs are written; one for what is precomputed, which may still be read when the next is written. */
  readonly first: Uint32Array;
  readonly all: Uint32Array;
  readonly pixels: Uint8Array;
  readonly found: Int32Array;
  /** Behind everything of the call. */
  readonly mark: NativeMark;
  isPending: boolean;
}

/** @param sizes words of a job, bytes of the pixels of its images, and shards, at most */
export function createCall(
  binding: CudaBinding,
  gpu: NativeGpu,
  { jobWords, pixels, capacity }: Readonly<Record<'jobWords' | 'pixels' | 'capacity', number>>,
): Call {
  const job = (): Uint32Array => new Uint32Array(binding.allocateHost(gpu, jobWords * WORD));
  return {
    first: job(),
    all: job(),
    pixels: new Uint8Array(binding.allocateHost(gpu, Math.max(1, pixels))),
    found: new Int32Array(binding.allocateHost(gpu, capacity * WORD)),
    mark: binding.createMark(gpu),
    isPending: false,
  };
}

/** Where the parts of a job begin, in words: the step, then of every shard its number, what was found, and its vector's address; the images. */
export type JobPlaces = Readonly<Record<'shards' | 'found' | 'vectors' | 'images' | 'words', number>>;

/** @param images whose numbers a job has */
export function placesOf(capacity: number, images: number): JobPlaces {
  const vectors = Math.ceil((1 + 2 * capacity) / 2) * 2;
  const imagesAt = vectors + 2 * capacity;
  return { shards: 1, found: 1 + capacity, vectors, images: imagesAt, words: Math.ceil((imagesAt + images) / 4) * 4 };
}
