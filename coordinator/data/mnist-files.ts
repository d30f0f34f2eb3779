// The four files of the full MNIST: their names, sizes and SHA-256, and how one is found in a folder, unpacked and verified.
// Nothing of them is used before its content is known to be MNIST to the last bit.
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import type { ImageShape } from '../../shared/model/spec.ts';
import { fromSystemError } from '../files/atomic-file.ts';
import { OddFile, readRegularSync } from '../files/regular-file.ts';
import { idxLength, parseIdx } from './idx.ts';

/** Height, width and channels of a digit. */
export const MNIST_SHAPE: ImageShape = [28, 28, 1];
const [HEIGHT, WIDTH] = MNIST_SHAPE;

/** One of the four files. */
export interface MnistFile {
  /** Name without `.gz`. */
  readonly name: string;
  /** [count, 28, 28] for images, [count] for labels. */
  readonly shape: readonly number[];
  /** Of the decompressed file, in hex. */
  readonly sha256?: string;
  /** Of the file as `.gz`, in hex, where that alone is known. */
  readonly gzipMd5?: string;
}

/** The four files; compressed bytes differ between mirrors, the raw bytes do not. */
export const MNIST_FILES = {
  trainImages: {
    name: 'train-images-idx3-ubyte',
    shape: [60_000, HEIGHT, WIDTH],
    sha256: 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  },
  trainLabels: {
    name: 'train-labels-idx1-ubyte',
    shape: [60_000],
    sha256: '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  },
  testImages: {
    name: 't10k-images-idx3-ubyte',
    shape: [10_000, HEIGHT, WIDTH],
    sha256: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  },
  testLabels: {
    name: 't10k-labels-idx1-ubyte',
    shape: [10_000],
    sha256: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
  },
} as const satisfies Record<string, MnistFile>;

/** The four files of Fashion-MNIST: MNIST's names and shapes, and the MD5 by which torchvision checks them. */
export const FASHION_MNIST_FILES = {
  trainImages: { ...namesAndShape('trainImages'), gzipMd5: '8d4fb7e6c68d591d4c3dfef9ec88bf0d' },
  trainLabels: { ...namesAndShape('trainLabels'), gzipMd5: '25c81989df183df01b3e8a0aad5dffbe' },
  testImages: { ...namesAndShape('testImages'), gzipMd5: 'bef4ecab320f06d8554ea6380940ec79' },
  testLabels: { ...namesAndShape('testLabels'), gzipMd5: 'bb300cfdad3c16e7a12a480ee83cd310' },
} as const satisfies Record<string, MnistFile>;

function namesAndShape(role: keyof typeof MNIST_FILES): Pick<MnistFile, 'name' | 'shape'> {
  const { name, shape } = MNIST_FILES[role];
  return { name, shape };
}

/** More than its values, raw or compressed, a file cannot have. */
const MOST_SURPLUS_BYTES = 2 ** 20;

/** Name under which `file` is read from a folder with these entries: compressed if that is there, else plain. */
export function chooseName(file: MnistFile, entries: readonly string[]): string {
  return entries.includes(`${file.name}.gz`) ? `${file.name}.gz` : file.name;
}

/**
 * The values of the file at `path` (compressed if it ends in `.gz`), row-major, without the header.
 * @throws GanglionError `data` where the content is not the expected one, `environment` where it cannot be read.
 */
export function readMnistFile(file: MnistFile, path: string): Uint8Array {
  let content: Uint8Array;
  try {
    content = readRegularSync(path, idxLength(file.shape) + MOST_SURPLUS_BYTES);
  } catch (error) {
    const usersMistake = error instanceof OddFile || systemErrorCode(error) === 'ENOENT';
    throw fromSystemError(`cannot read ${path}`, error, usersMistake ? 'data' : 'environment');
  }
  const isPacked = path.endsWith('.gz');
  if (isPacked) verifyPacked(file, content, path);
  return verifyMnistFile(file, isPacked ? gunzip(file, content, path) : content, path);
}

/**
 * Checks a file as `.gz` where that is how it is known.
 * @throws GanglionError `data` for another MD5.
 */
export function verifyPacked({ gzipMd5 }: MnistFile, content: Uint8Array, name: string): void {
  if (gzipMd5 === undefined) return;
  const md5 = createHash('md5').update(content).digest('hex');
  if (md5 === gzipMd5) return;
  throw new GanglionError('data', `${name}: expected content with MD5 ${gzipMd5}, got ${md5}`);
}

/**
 * The values of the raw content of `file`, row-major, without the header.
 * @param name the file or address it came from, for messages.
 * @throws GanglionError `data` for a wrong magic number, size, length or SHA-256.
 */
export function verifyMnistFile(file: MnistFile, raw: Uint8Array, name: string): Uint8Array {
  const values = parseIdx(raw, name, file.shape);
  const sha256 = createHash('sha256').update(raw).digest('hex');
  if (file.sha256 !== undefined && sha256 !== file.sha256) {
    throw new GanglionError('data', `${name}: expected content with SHA-256 ${file.sha256}, got ${sha256}`);
  }
  return values;
}

/**
 * Decompresses `content`, but never to more than the file's length.
 * @throws GanglionError `data` for damaged, cut or surplus content.
 */
export function gunzip(file: MnistFile, content: Uint8Array, name: string): Uint8Array {
  const maxOutputLength = idxLength(file.shape);
  try {
    return gunzipSync(content, { maxOutputLength });
  } catch (error) {
    const surplus = systemErrorCode(error) === 'ERR_BUFFER_TOO_LARGE';
    const got = surplus ? `more than the ${maxOutputLength} bytes of ${file.name}` : messageOf(error);
    throw new GanglionError('data', `${name}: expected a whole gzip file, got ${got}`, { cause: error });
  }
}
