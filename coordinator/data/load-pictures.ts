// A dataset from pictures: decoded by all cores, each prepared at once, so that memory holds the prepared ones alone. What cannot be used is
// named and counted, and left out only where the user says so.

import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { GanglionError } from '../../shared/error.ts';
import { sizeOf } from '../../shared/model/shape.ts';
import { countPhysicalCores } from '../machine/cores.ts';
import { NO_REQUIRE } from '../machine/thread-flags.ts';
import { type Dataset, nameWithCount, toDataset } from './dataset.ts';
import { type DecodedBatch, type DecodeJob, decodeBatch, MOST_FILE_BYTES } from './decode-batch.ts';
import { nameOfKnown } from './known-sets.ts';
import { type LoadOptions, prepare } from './load-options.ts';
import { allocateImages } from './memory.ts';
import { cachedPictures, type PreparedPictures } from './picture-cache.ts';
import type { ArrangedPictures } from './picture-files.ts';
import type { Preparation } from './preparation.ts';
import { readWhole, type SourceFile } from './source-file.ts';
import { Outgrown } from './wanted-shape.ts';

const DECODE_JOB = new URL('./decode-job.js', import.meta.url);

/** Pictures of a job. */
const BATCH = 64;
/** Fewer are decoded in this thread: they are done before another one has started. */
const FEW = 256;

/** Decodes pictures. @throws GanglionError `data` where some cannot be used, with their number and the first of their names */
export async function loadPictures(arranged: ArrangedPictures, options: LoadOptions): Promise<Dataset> {
  const decode = () => prepare(options, (fitting) => decodeAll(arranged, fitting, options));
  const { images, shape, left, preparation } = await cachedPictures(arranged, options, decode);
  const isLeft = new Set(left);
  const labels = arranged.labels.filter((_, i) => !isLeft.has(i));
  const count = arranged.files.length - left.length;
  const dataset = toDataset(nameWithCount(options.name, count), images, labels, shape, {
    classNames: arranged.classNames,
    preparation,
  });
  return { ...dataset, name: nameOfKnown(dataset.sha256) ?? dataset.name };
}

async function decodeAll(
  { files }: ArrangedPictures,
  preparation: Preparation,
  host: LoadOptions,
): Promise<PreparedPictures> {
  const { onProgress, skipBroken, onNotice } = host;
  const { options, shape, wanted } = preparation;
  const size = sizeOf(shape);
  const images = allocateImages(files.length, size, `${files.length} pictures`);
  const faults: { readonly place: number; readonly fault: string }[] = [];
  let done = 0;
  await inBatches(files, host, async (start, decode) => {
    const some = files.slice(start, start + BATCH);
    const contents = await Promise.all(some.map((file) => file.place ?? readArchived(file)));
    const whole = contents.map((content) => (content instanceof Error ? new Uint8Array(0) : content));
    const batch = await decode({ pictures: whole, options, shape, wanted });
    if (batch.error !== undefined) throw GanglionError.fromPlain(batch.error);
    if (batch.outgrown !== undefined) throw new Outgrown(batch.outgrown);
    images.set(batch.images, start * size);
    preparation.add(batch.facts);
    for (const [i, fault] of batch.faults.entries()) {
      const content = contents[i];
      const reason = content instanceof Error ? content.message : fault;
      if (reason !== null) faults.push({ place: start + i, fault: reason });
    }
    done += some.length;
    onProgress(done, files.length);
  });
  faults.sort((a, b) => a.place - b.place);
  const left = faults.map(({ place }) => place);
  if (faults.length > 0) {
    const shown = faults.slice(0, 5).map(({ place, fault }) => `${files[place]?.path} (${fault})`);
    const more = faults.length > shown.length ? ` and ${faults.length - shown.length} more` : '';
    const said = `${faults.length} of ${files.length} pictures cannot be used: ${shown.join(', ')}${more}`;
    if (!skipBroken) throw new GanglionError('data', `${said}; --skip-broken leaves them out`);
    if (left.length === files.length) throw new GanglionError('data', said);
    onNotice(said);
  }
  const skipped = left.length === 0 ? [] : `${left.length} of ${files.length} pictures left out`;
  const described = [preparation.describe() ?? [], skipped].flat().join(', ');
  return { images: without(images, left, size), shape, left, preparation: described === '' ? null : described };
}

/** Moves what stays together, in place. */
function without(images: Uint8Array, left: readonly number[], size: number): Uint8Array {
  let to = 0;
  for (let i = 0, next = 0; i * size < images.length; i++) {
    if (left[next] === i) next++;
    else images.copyWithin(size * to++, i * size, (i + 1) * size);
  }
  return images.subarray(0, to * size);
}

async function readArchived(file: SourceFile): Promise<Uint8Array | Error> {
  try {
    return await readWhole(file, MOST_FILE_BYTES);
  } catch (error) {
    if (error instanceof GanglionError && error.code === 'data') return error;
    throw error;
  }
}

type Decode = (job: DecodeJob) => Promise<DecodedBatch>;

/** Calls `work` for every batch: in threads, some at a time, or here where there are few. The first error ends it. */
async function inBatches(
  files: readonly SourceFile[],
  { onProgress }: LoadOptions,
  work: (start: number, decode: Decode) => Promise<void>,
): Promise<void> {
  onProgress(0, files.length);
  const threads = Math.min(countPhysicalCores(), 16);
  const pool =
    files.length <= FEW
      ? undefined
      : new Piscina({ filename: fileURLToPath(DECODE_JOB), execArgv: [NO_REQUIRE], maxThreads: threads });
  const decode: Decode = pool === undefined ? decodeBatch : (job) => pool.run(job);
  let next = 0;
  const one = async (): Promise<void> => {
    for (let start = next; start < files.length; start = next) {
      next += BATCH;
      await work(start, decode);
    }
  };
  try {
    await Promise.all(Array.from({ length: pool === undefined ? 1 : 2 * threads }, one));
  } finally {
    next = files.length;
    await pool?.destroy();
  }
}
