// The full MNIST from a folder that holds its four files. All four are verified, so that a folder is known to be right;
// training uses the 60,000 training images, evaluation the 10,000 test images.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { GanglionError, systemErrorCode } from '../../shared/error.ts';
import { fromSystemError } from '../files/atomic-file.ts';
import { type Dataset, toDataset } from './dataset.ts';
import { chooseName, MNIST_FILES, MNIST_SHAPE, type MnistFile, readMnistFile } from './mnist-files.ts';

/**
 * The 60,000 training images of the MNIST files in `folder`, each compressed (`.gz`, preferred) or plain, in file order.
 * @throws GanglionError `data` where the folder or a file is missing or a file is not, to the bit, the canonical one;
 * `environment` where something cannot be read.
 */
export function loadIdxFolder(folder: string): Dataset {
  const entries = listFolder(folder);
  const missing = Object.values(MNIST_FILES).filter((file) => !entries.includes(chooseName(file, entries)));
  if (missing.length > 0) {
    const lacks = missing.map((file) => file.name).join(', ');
    const expected = 'each under its canonical name, as <name>.gz or <name>';
    throw new GanglionError(
      'data',
      `data folder ${folder} lacks ${lacks}: expected ${expected}, got ${toList(entries)}`,
    );
  }
  const read = (file: MnistFile): Uint8Array => readMnistFile(file, join(folder, chooseName(file, entries)));
  // The smallest first: what is wrong with one of them is said at once.
  const testLabels = read(MNIST_FILES.testLabels);
  const labels = read(MNIST_FILES.trainLabels);
  const testImages = read(MNIST_FILES.testImages);
  const images = read(MNIST_FILES.trainImages);
  return {
    ...toDataset('MNIST (60,000 training images)', images, labels, MNIST_SHAPE),
    heldOut: toDataset('MNIST (10,000 test images)', testImages, testLabels, MNIST_SHAPE),
  };
}

/** Whether a folder holds the four names of MNIST, and the images of one of its two parts: then the rest must be MNIST, too. */
export function isMnistFolder(folder: string): boolean {
  const entries = listFolder(folder);
  const isThere = (file: MnistFile): boolean => entries.includes(chooseName(file, entries));
  const isRight = (file: MnistFile): boolean => {
    try {
      readMnistFile(file, join(folder, chooseName(file, entries)));
      return true;
    } catch (error) {
      if (error instanceof GanglionError) return false;
      throw error;
    }
  };
  const { testImages, trainImages } = MNIST_FILES;
  return Object.values(MNIST_FILES).every(isThere) && (isRight(testImages) || isRight(trainImages));
}

function listFolder(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    const code = systemErrorCode(error);
    const usersMistake = code === 'ENOENT' || code === 'ENOTDIR';
    throw fromSystemError(`cannot read data folder ${folder}`, error, usersMistake ? 'data' : 'environment');
  }
}

/** The first names of a folder, for a message. */
function toList(entries: readonly string[]): string {
  if (entries.length === 0) return 'an empty folder';
  const shown = entries.slice(0, 8).join(', ');
  return entries.length > 8 ? `${shown} and ${entries.length - 8} more` : shown;
}
