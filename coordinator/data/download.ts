// Brings the four files of MNIST or Fashion-MNIST into a folder, from the first mirror that has them. A file is verified in memory, then appears
// under its name at once: an interrupted run leaves whole files or none, and the next run fetches only what is missing.
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { GanglionError } from '../../shared/error.ts';
import { fromSystemError, writeFileAtomicSync } from '../files/atomic-file.ts';
import { makeFolder } from '../files/make-folder.ts';
import { fetchBytes } from './fetch-bytes.ts';
import { idxLength } from './idx.ts';
import {
  chooseName,
  FASHION_MNIST_FILES,
  gunzip,
  MNIST_FILES,
  type MnistFile,
  readMnistFile,
  verifyMnistFile,
  verifyPacked,
} from './mnist-files.ts';
import { proxyOf } from './proxy.ts';

/** Public mirrors, those of torchvision and of TensorFlow Datasets: `<mirror>/train-images-idx3-ubyte.gz`. */
export const MNIST_MIRRORS: readonly string[] = [
  'https://ossci-datasets.s3.amazonaws.com/mnist',
  'https://storage.googleapis.com/cvdf-datasets/mnist',
];

/** Those of torchvision and of Keras. */
const FASHION_MNIST_MIRRORS: readonly string[] = [
  'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com',
  'https://storage.googleapis.com/tensorflow/tf-keras-datasets',
];

/** The sets that can be fetched. */
export const DOWNLOADS = {
  mnist: { title: 'MNIST', files: MNIST_FILES, mirrors: MNIST_MIRRORS },
  'fashion-mnist': { title: 'Fashion-MNIST', files: FASHION_MNIST_FILES, mirrors: FASHION_MNIST_MIRRORS },
} as const satisfies Record<string, { title: string; files: Record<string, MnistFile>; mirrors: readonly string[] }>;

/** Where a download stands. */
export interface DownloadProgress {
  /** Name of the file, with `.gz`. */
  readonly file: string;
  readonly receivedBytes: number;
  /** Undefined where the mirror does not state it. */
  readonly totalBytes: number | undefined;
}

export interface DownloadOptions {
  /** Default: `mnist`. */
  readonly set?: keyof typeof DOWNLOADS;
  /** Base URLs, tried in order; by default those of {@link DOWNLOADS}. */
  readonly mirrors?: readonly string[];
  /** A mirror that sends nothing for so long is given up. By default 30,000. */
  readonly silenceTimeoutMs?: number;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Called with one line whenever a mirror fails and another is tried, or a damaged file is replaced. */
  readonly onNotice?: (line: string) => void;
}

/** Names of the files, with `.gz`, or as found for those kept. */
export interface DownloadResult {
  readonly downloaded: readonly string[];
  readonly kept: readonly string[];
}

/**
 * Fetches the four files as `<folder>/<name>.gz`, creating the folder; files that are already there and right are kept.
 * @throws GanglionError `environment` where every mirror failed or the folder cannot be written, `data` for a wrong mirror URL.
 */
export async function downloadMnist(folder: string, options: DownloadOptions = {}): Promise<DownloadResult> {
  const set = DOWNLOADS[options.set ?? 'mnist'];
  const files: readonly MnistFile[] = Object.values(set.files);
  const mirrors = checkMirrors(options.mirrors ?? set.mirrors);
  const notice = options.onNotice ?? (() => undefined);
  const entries = createFolder(folder);
  const result = { downloaded: [] as string[], kept: [] as string[] };
  for (const file of files) {
    const name = chooseName(file, entries);
    if (entries.includes(name) && isRight(file, join(folder, name), notice)) {
      result.kept.push(name);
      continue;
    }
    const content = await fetchFromMirrors(file, mirrors, options, notice).catch((error: unknown) => {
      if (!(error instanceof GanglionError) || error.code !== 'environment') throw error;
      const proxy = proxyOf(mirrors[0] ?? '') ? '' : ' (is there a proxy? set HTTPS_PROXY)';
      const byHand = `by hand, fetch ${missingIn(folder, files).join(', ')} from ${mirrors[0]}/ into ${resolve(folder)}`;
      throw new GanglionError('environment', `${error.message}${proxy}; ${byHand}`, { cause: error });
    });
    writeFileAtomicSync(join(folder, `${file.name}.gz`), content);
    result.downloaded.push(`${file.name}.gz`);
  }
  return result;
}

/** Names of the files that a folder lacks, with `.gz`. */
function missingIn(folder: string, files: readonly MnistFile[]): string[] {
  const entries = readdirSync(folder);
  return files.flatMap((file) => (entries.includes(chooseName(file, entries)) ? [] : `${file.name}.gz`));
}

/** Tries every mirror; one that fails goes to the end of `mirrors`, so that the next file does not wait for it again. */
async function fetchFromMirrors(
  file: MnistFile,
  mirrors: string[],
  options: DownloadOptions,
  notice: (line: string) => void,
): Promise<Uint8Array> {
  const name = `${file.name}.gz`;
  const tried: string[] = [];
  let last: GanglionError | undefined;
  for (const mirror of [...mirrors]) {
    if (last !== undefined) notice(`${tried.at(-1)} failed for ${name} (${last.message}); trying ${mirror}`);
    try {
      return await fetchGzip(file, `${mirror}/${name}`, options);
    } catch (error) {
      if (!(error instanceof GanglionError)) throw error;
      last = error;
      tried.push(mirror);
      mirrors.push(...mirrors.splice(0, 1));
    }
  }
  const message = `cannot download ${name}: tried ${tried.join(', ')}; last reason: ${last?.message}`;
  throw new GanglionError('environment', message, { cause: last });
}

/** The verified file, compressed. A mirror that labels the file as content-encoding gzip gives the raw bytes: pack them. */
async function fetchGzip(file: MnistFile, url: string, options: DownloadOptions): Promise<Uint8Array> {
  const name = `${file.name}.gz`;
  const body = await fetchBytes(url, {
    silenceTimeoutMs: options.silenceTimeoutMs ?? 30_000,
    maxBytes: idxLength(file.shape),
    onReceived: (receivedBytes, totalBytes) => options.onProgress?.({ file: name, receivedBytes, totalBytes }),
  });
  const compressed = body[0] === 0x1f && body[1] === 0x8b;
  if (compressed) verifyPacked(file, body, 'its answer');
  else if (file.gzipMd5 !== undefined) throw new GanglionError('data', 'its answer: expected a gzip file');
  verifyMnistFile(file, compressed ? gunzip(file, body, 'its answer') : body, 'its answer');
  return compressed ? body : gzipSync(body);
}

function isRight(file: MnistFile, path: string, notice: (line: string) => void): boolean {
  try {
    readMnistFile(file, path);
    return true;
  } catch (error) {
    if (!(error instanceof GanglionError) || error.code !== 'data') throw error;
    notice(`${error.message}; downloading it again`);
    return false;
  }
}

function checkMirrors(mirrors: readonly string[]): string[] {
  if (mirrors.length === 0) throw new GanglionError('data', 'mirrors: expected at least one base URL, got none');
  for (const mirror of mirrors) {
    if (!URL.canParse(mirror) || !/^https?:$/.test(new URL(mirror).protocol)) {
      throw new GanglionError('data', `mirror: expected an http or https URL, got ${mirror}`);
    }
  }
  for (const mirror of mirrors) proxyOf(mirror); // said once, before anything is tried
  return mirrors.map((mirror) => mirror.replace(/\/+$/, ''));
}

function createFolder(folder: string): readonly string[] {
  try {
    makeFolder(folder);
    return readdirSync(folder);
  } catch (error) {
    throw fromSystemError(`cannot create data folder ${folder}`, error);
  }
}
