// `ganglion data`: looks at images before a training, or brings a known set into a folder.
import { resolve } from 'node:path';
import { GanglionError } from '../../shared/error.ts';
import { printJson, printLine } from '../../shared/print.ts';
import { show } from '../../shared/printable.ts';
import { classesOf, countDuplicates } from '../data/describe-data.ts';
import { DOWNLOADS, downloadMnist } from '../data/download.ts';
import { loadData } from '../data/load-data.ts';
import { createReadingProgress } from '../monitoring/reading.ts';
import { writeRealGrid } from '../run/samples.ts';
import { defaultSettings } from '../settings/settings.ts';
import type { Settings } from '../settings/settings-table.ts';

export interface DownloadRequest {
  /** A set of {@link DOWNLOADS}. */
  readonly name: string;
  readonly output: string;
  /** Base URLs to try instead of the public mirrors. */
  readonly mirrors: readonly string[] | undefined;
}

/** Fetches a set. @throws GanglionError */
export async function fetchCommand({ name, output, mirrors }: DownloadRequest): Promise<void> {
  const names = Object.keys(DOWNLOADS) as (keyof typeof DOWNLOADS)[];
  const set = names.find((known) => known === name);
  if (set === undefined)
    throw new GanglionError('usage', `data --output: expected ${names.join(' or ')}, got ${show(name)}`);
  const { downloaded, kept } = await downloadMnist(output, {
    set,
    ...(mirrors === undefined ? {} : { mirrors }),
    onNotice: (line) => printLine(process.stderr, `ganglion: ${line}`),
  });
  const { title } = DOWNLOADS[set];
  const counts = `${downloaded.length} files fetched, ${kept.length} already there`;
  printLine(process.stdout, `${title} is in ${output}: ${counts}`);
  printLine(process.stdout, `train on it with --data ${output}`);
}

export interface LookRequest {
  readonly path: string;
  /** How images are prepared. */
  readonly flags: Partial<Settings>;
  /** File for a grid of 64 images. */
  readonly picture: string;
  readonly json: boolean;
}

/** Classes that are shown to people. */
const MOST_CLASSES = 20;

/** Says what training would see. @throws GanglionError */
export async function lookCommand({ path, flags, picture, json }: LookRequest): Promise<void> {
  const settings = { ...defaultSettings(), ...flags, data: path };
  const reading = createReadingProgress(process.stderr);
  const dataset = await loadData({
    settings,
    onProgress: reading.show,
    onNotice: (line) => printLine(process.stderr, `ganglion: ${line}`),
  }).finally(reading.finish);
  writeRealGrid(picture, settings.seed, dataset);
  const { name, count, imageShape, sha256, preparation } = dataset;
  const [classes, duplicates] = [classesOf(dataset), countDuplicates(dataset)];
  if (json) {
    printJson(
      process.stdout,
      { name, count, imageShape, preparation, classes, duplicates, sha256, picture: resolve(picture) },
      2,
    );
    return;
  }
  const [height, width, channels] = imageShape;
  const line = (label: string, text: string): void => printLine(process.stdout, `${label.padEnd(12)}${text}`);
  const percent = (part: number): string => `${((100 * part) / count).toFixed(1)} %`;
  line('data', name);
  line('images', `${count} of ${width} x ${height}, ${channels === 1 ? 'grey' : 'colour'}`);
  line('prepared', preparation ?? 'nothing was to be done');
  line('classes', classes.length === 0 ? 'none' : String(classes.length));
  for (const one of classes.slice(0, MOST_CLASSES)) line('', `${one.name}: ${one.count} (${percent(one.count)})`);
  if (classes.length > MOST_CLASSES) line('', `and ${classes.length - MOST_CLASSES} more`);
  line('duplicates', `${duplicates} (${percent(duplicates)}) are equal to an earlier image`);
  line('SHA-256', sha256);
  line('picture', picture);
}
