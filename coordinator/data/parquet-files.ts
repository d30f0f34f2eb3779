// Pictures in Parquet files, as Hugging Face's data sets have them: a column `image` of { bytes, path }, or of bytes, and a column `label`. The only
// module that knows hyparquet, which is loaded when such a file is met.
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { show } from '../../shared/printable.ts';
import type { ArrangedPictures } from './picture-files.ts';
import { readWhole, type SourceFile } from './source-file.ts';

/** Of one file. Pictures stay packed in memory until they are decoded. */
const MOST_BYTES = 2 ** 31 - 1;
/** Unpacked size of a page. */
const MOST_PAGE = 2 ** 30;

/** Whether bytes begin as a Parquet file. */
export function isParquet(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, 4)).toString('latin1') === 'PAR1';
}

/** What hyparquet has no code for of its own. */
const compressors = {
  GZIP: (input: Uint8Array) => gunzipSync(input, { maxOutputLength: MOST_PAGE }),
  BROTLI: (input: Uint8Array) => brotliDecompressSync(input, { maxOutputLength: MOST_PAGE }),
};

/** The pictures of files, which are parts of one set, in their order. @throws GanglionError `data` for a damaged one */
export async function picturesInParquet(parts: readonly SourceFile[]): Promise<ArrangedPictures> {
  const files: SourceFile[] = [];
  const labels: number[] = [];
  for (const part of parts) {
    for (const { bytes, label } of await rowsOf(part)) {
      const path = `${part.path}, row ${files.length + 1}`;
      files.push({
        path,
        name: path,
        read: async function* () {
          yield bytes;
        },
      });
      if (label !== undefined) labels.push(label);
    }
  }
  return {
    files,
    labels: labels.length === files.length ? Uint32Array.from(labels) : new Uint32Array(0),
    classNames: [],
  };
}

interface Row {
  readonly bytes: Uint8Array;
  readonly label: number | undefined;
}

async function rowsOf(part: SourceFile): Promise<Row[]> {
  const whole = await readWhole(part, MOST_BYTES);
  const { parquetMetadataAsync, parquetReadObjects } = await import('hyparquet');
  const buffer = new Uint8Array(whole).buffer;
  const file = { byteLength: buffer.byteLength, slice: (start: number, end?: number) => buffer.slice(start, end) };
  try {
    const metadata = await parquetMetadataAsync(file);
    const names = metadata.schema[0] === undefined ? [] : topColumns(metadata.schema);
    const image = names.find((name) => /^(image|img|picture|bytes)$/i.test(name));
    if (image === undefined) throw new Error(`no column image, but ${show(names)}`);
    const label = names.find((name) => /^(label|labels|class|fine_label|target)$/i.test(name));
    const columns = [image, ...(label === undefined ? [] : [label])];
    const rows = await parquetReadObjects({ file, metadata, columns, compressors, utf8: false });
    return rows.map((row) => ({
      bytes: bytesOf(row[image]),
      label: label === undefined ? undefined : labelOf(row[label]),
    }));
  } catch (error) {
    if (error instanceof GanglionError) throw error;
    const expected = 'a whole Parquet file with pictures in a column image';
    throw new GanglionError('data', `${part.name}: expected ${expected}, got ${messageOf(error)}`, { cause: error });
  }
}

/** Names of the columns, without those within them. */
function topColumns(schema: readonly { readonly name: string; readonly num_children?: number }[]): string[] {
  const names: string[] = [];
  const skip = (at: number): number => {
    let next = at + 1;
    for (let child = 0; child < (schema[at]?.num_children ?? 0); child++) next = skip(next);
    return next;
  };
  for (let at = 1; at < schema.length; at = skip(at)) names.push(schema[at]?.name ?? '');
  return names;
}

/** The picture of a row: nothing where there is none, which is said when it is decoded. */
function bytesOf(value: unknown): Uint8Array {
  const inner = typeof value === 'object' && value !== null && 'bytes' in value ? value.bytes : value;
  return inner instanceof Uint8Array ? inner : new Uint8Array(0);
}

function labelOf(value: unknown): number | undefined {
  const number = typeof value === 'bigint' ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 && number < 2 ** 16 ? number : undefined;
}
