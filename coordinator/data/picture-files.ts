// Which files are pictures, in which order, and of which class: sub-folders are classes, as torchvision's ImageFolder has them.
import { basename, extname } from 'node:path/posix';
import type { SourceFile } from './source-file.ts';

/** Names of pictures: those that are taken, and those that are refused by their name rather than left out without a word. */
const PICTURES =
  /\.(png|jpe?g|jpe|jfif|webp|gif|bmp|dib|tiff?|avif|hei[cf]|jp2|jxl|ico|psd|svgz?|tga|p[bgnp]m|cr2|nef|dng|apng)$/i;

/** Whether a file is a picture by its name. */
export function isNamedAsPicture({ path }: SourceFile): boolean {
  return PICTURES.test(path);
}

/** Pictures in their order. */
export interface ArrangedPictures {
  readonly files: readonly SourceFile[];
  /** The class of every picture; empty where there are no classes. */
  readonly labels: Uint32Array;
  /** Names of the classes by their number; empty where they are numbers themselves. */
  readonly classNames: readonly string[];
}

const TRAIN = /^train(ing)?([-_ ]?(set|images?|data))?$/i;
const TEST = /^(test(ing)?|val|valid|validation|eval)([-_ ]?(set|images?|data))?$/i;

interface Placed {
  readonly file: SourceFile;
  /** Folders above it, without those that all have. */
  readonly folders: readonly string[];
}

/** Takes away the folders that all files lie in. */
function withoutCommon(placed: readonly Placed[]): Placed[] {
  let depth = 0;
  const first = placed[0]?.folders ?? [];
  while (depth < first.length && placed.every(({ folders }) => folders[depth] === first[depth])) depth++;
  return placed.map(({ file, folders }) => ({ file, folders: folders.slice(depth) }));
}

/** Of a set in parts, such as `train` and `test`, the one to train on. */
function trainingPart(placed: readonly Placed[]): Placed[] {
  const parts = new Set(placed.map(({ folders }) => folders[0] ?? ''));
  const train = [...parts].filter((part) => TRAIN.test(part));
  const isSplit = [...parts].every((part) => TRAIN.test(part) || TEST.test(part));
  if (!isSplit || train.length !== 1) return [...placed];
  return withoutCommon(placed.filter(({ folders }) => folders[0] === train[0]));
}

/** A text that sorts as people count: every number is led by its length. By code units, the same on every machine. */
export function toOrderKey(name: string): string {
  return name.replace(/\d+/g, (run) => {
    const digits = run.replace(/^0+(?=\d)/, '');
    return `0${String.fromCharCode(Math.min(digits.length, 0xffff))}${digits}`;
  });
}

const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);

/** Pictures by their names, whatever their classes: so a set has the order in which it was numbered. */
export function arrangePictures(pictures: readonly SourceFile[]): ArrangedPictures {
  const part = trainingPart(
    withoutCommon(pictures.map((file) => ({ file, folders: file.path.split('/').slice(0, -1) }))),
  );
  const keyed = part.map((one) => {
    const { path } = one.file;
    return { ...one, key: toOrderKey(basename(path, extname(path))), pathKey: toOrderKey(path) };
  });
  keyed.sort((a, b) => compare(a.key, b.key) || compare(a.pathKey, b.pathKey));
  const files = keyed.map(({ file }) => file);
  const hasClasses = keyed.every(({ folders }) => folders.length > 0);
  if (!hasClasses) return { files, labels: new Uint32Array(0), classNames: [] };
  const names = [...new Set(keyed.map(({ folders }) => folders[0] ?? ''))];
  names.sort((a, b) => compare(toOrderKey(a), toOrderKey(b)));
  const areNumbers = names.every((name) => /^\d{1,4}$/.test(name));
  const numbers = new Map(names.map((name, i) => [name, areNumbers ? Number(name) : i]));
  const labels = Uint32Array.from(keyed, ({ folders }) => numbers.get(folders[0] ?? '') ?? 0);
  return { files, labels, classNames: areNumbers ? [] : names };
}
