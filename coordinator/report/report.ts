// report.html: a run in one file that needs nothing else, written from the run's files at its end, or later by `ganglion report`.
import { join } from 'node:path';
import { writeFileAtomicSync } from '../files/atomic-file.ts';
import { readRegular } from '../files/regular-file.ts';
import type { LiveRun } from '../live/live-run.ts';
import { VERSION } from '../machine/version.ts';
import { ANIMATION, listSamples, MOST_PICTURE_BYTES, REAL_SAMPLE, sampleName, spread } from '../run-folder/pictures.ts';
import { runFolderAt } from '../run-folder/run-folder.ts';
import { toReport } from './page.ts';
import type { Picture, ReportData } from './report-data.ts';
import { readCheckpoints } from './stored-checkpoints.ts';

/** Points of a curve; a band shows the values between two points. */
const POINTS = 1500;
/** Grids of earlier samples, beside the newest. */
const COURSE = 8;
/** A larger animation stays a file of its own. */
const MOST_ANIMATION_BYTES = 6 * 2 ** 20;

export interface ReportOptions {
  /** As its files tell it. */
  readonly run: LiveRun;
  /** Folder of the live page's files; those of the report are beside it. */
  readonly page: URL;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/**
 * Writes the report. Memory does not grow with the number of steps, grids or checkpoints.
 *
 * @returns its path
 * @throws GanglionError `checkpoint` when a file of the run cannot be read, `environment` when the report cannot be written
 */
export async function writeReport({ run, page, now = Date.now }: ReportOptions): Promise<string> {
  const folder = runFolderAt(run.info.path);
  const { steps, real, animation } = await listSamples(folder.samples);
  const newest = steps.at(-1);
  const data: ReportData = {
    run: run.info,
    evaluations: run.evaluations,
    history: run.read({ from: 0, to: Number.MAX_SAFE_INTEGER, points: POINTS }),
    pictures: {
      newest: newest === undefined ? null : await readPicture(folder.samples, newest),
      real: real ? await readBase64(join(folder.samples, REAL_SAMPLE)) : null,
      course: await readPictures(folder.samples, spread(steps, COURSE + 1).slice(0, -1)),
      animation: animation ? await readBase64(join(folder.samples, ANIMATION), MOST_ANIMATION_BYTES) : null,
      hasAnimation: animation,
    },
    ...(await readCheckpoints(folder.checkpoints)),
    version: VERSION,
    time: now(),
  };
  writeFileAtomicSync(folder.report, Buffer.from(toReport(data, page)));
  return folder.report;
}

async function readPictures(folder: string, steps: readonly number[]): Promise<Picture[]> {
  const pictures: Picture[] = [];
  for (const step of steps) {
    const picture = await readPicture(folder, step);
    if (picture) pictures.push(picture);
  }
  return pictures;
}

async function readPicture(folder: string, step: number): Promise<Picture | null> {
  const base64 = await readBase64(join(folder, sampleName(step)));
  return base64 === null ? null : { step, base64 };
}

/** @returns null for a file that cannot be read, or is larger: the report omits it */
async function readBase64(path: string, most = MOST_PICTURE_BYTES): Promise<string | null> {
  try {
    return (await readRegular(path, most)).toString('base64');
  } catch {
    return null;
  }
}
