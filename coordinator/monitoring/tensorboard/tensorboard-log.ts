// events.out.tfevents.*: the run as TensorBoard reads it, while it trains and later. A step leaves its values in memory; they are
// written every few seconds and before every checkpoint. A log that cannot be written ends, the run does not.
import { readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../../shared/error.ts';
import { CURVES, type Curve } from '../../../shared/step-scalars.ts';
import { readRegularSync } from '../../files/regular-file.ts';
import type { LoggedEvaluation } from '../../run-folder/evaluation-log.ts';
import { MOST_PICTURE_BYTES } from '../../run-folder/pictures.ts';
import { imageEvent, scalarsEvent, startEvent, versionEvent } from './event.ts';
import { RecordFile } from './record-file.ts';

export interface TensorBoardOptions {
  /** Folder of the run. */
  readonly folder: string;
  /** Steps done at a resume; null for a new run. */
  readonly resumedAt: number | null;
  /** Called once when the log cannot be written; the run continues without it. */
  readonly onFailure: (message: string) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Most time that a step waits in memory. */
  readonly flushMs?: number;
}

/** TensorBoard's tags of the curves; tags of one prefix are shown together. */
export const TAGS: Readonly<Record<Curve, string>> = {
  lossD: 'loss/D',
  lossG: 'loss/G',
  outputReal: 'output of D/D(x)',
  outputFake: 'output of D/D(G(z))',
  gradientNormD: 'gradient norm/D',
  gradientNormG: 'gradient norm/G',
  imagesPerSecond: 'throughput (images per s)',
};
/** TensorBoard's tags of an evaluation. */
export const EVALUATION_TAGS = {
  frechetDistance: 'evaluation/Fréchet distance',
  floor: 'evaluation/Fréchet distance of real images',
  precision: 'evaluation/precision',
  recall: 'evaluation/recall',
  totalVariation: 'evaluation/total variation of digits',
  confidence: 'evaluation/confidence',
} as const;
export const SAMPLES_TAG = 'samples/fixed noise';
export const REAL_TAG = 'samples/real';

const EVALUATION_FIGURES = Object.keys(EVALUATION_TAGS) as (keyof typeof EVALUATION_TAGS)[];
const CURVE_TAGS = CURVES.map((curve) => TAGS[curve]);
/** Maximum number of events in memory. */
const MOST_WAITING = 1000;
const FLUSH_MS = 2000;
const FILE_NAME = /^events\.out\.tfevents\.(\d+)\./;
/** Where a PNG file has its width and height: in the header chunk, which is the first. */
const PNG_WIDTH = 16;
const PNG_HEIGHT = 20;

export class TensorBoardLog {
  readonly #options: Required<TensorBoardOptions>;
  #file: RecordFile | undefined;
  /** Written down together, which takes a fraction of the time that each alone would between two steps. */
  #waiting: (() => Uint8Array)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TensorBoardOptions) {
    this.#options = { now: Date.now, flushMs: FLUSH_MS, ...options };
    const { folder, resumedAt, now } = this.#options;
    this.#try(() => {
      const file = new RecordFile(join(folder, newFileName(folder, now())));
      this.#file = file;
      file.append(versionEvent(now()));
      // Of steps that a crash has undone, what the files before this one have no longer holds.
      // A run that is at its beginning still writes the real images, of step 0, again.
      if (resumedAt !== null) file.append(startEvent(now(), resumedAt === 0 ? 0 : resumedAt + 1));
      file.flush();
    });
  }

  /** Real images, to compare. @param path a PNG file */
  real(path: string): void {
    if (this.#file) this.#try(() => this.#image(0, REAL_TAG, readRegularSync(path, MOST_PICTURE_BYTES)));
  }

  /** @param values in the order of `CURVES` */
  step(step: number, values: readonly number[]): void {
    const now = this.#options.now();
    this.#append(() => scalarsEvent(now, step, CURVE_TAGS, values));
  }

  /** Figures of an evaluation, without those that it has not. */
  evaluation(evaluation: LoggedEvaluation): void {
    const now = this.#options.now();
    const figures = EVALUATION_FIGURES.filter((name) => evaluation[name] !== null);
    const tags = figures.map((name) => EVALUATION_TAGS[name]);
    this.#append(() =>
      scalarsEvent(
        now,
        evaluation.step,
        tags,
        figures.map((name) => evaluation[name] ?? Number.NaN),
      ),
    );
  }

  /** Samples from fixed noise. */
  sample(step: number, png: Uint8Array): void {
    this.#image(step, SAMPLES_TAG, png);
  }

  /** Brings everything so far into the file. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const events = this.#waiting;
    this.#waiting = [];
    this.#try(() => {
      for (const toEvent of events) this.#file?.append(toEvent());
      this.#file?.flush();
    });
  }

  /** Resolves once what was flushed would outlast a power cut; it must not be closed meanwhile. */
  async sync(): Promise<void> {
    const file = this.#file;
    try {
      await file?.sync();
    } catch (error) {
      if (file === this.#file) this.#fail(error);
    }
  }

  close(): void {
    this.flush();
    this.#file?.close();
    this.#file = undefined;
  }

  #image(step: number, tag: string, png: Uint8Array): void {
    const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
    const [width, height] = [view.getUint32(PNG_WIDTH), view.getUint32(PNG_HEIGHT)];
    const now = this.#options.now();
    this.#append(() => imageEvent(now, step, tag, { width, height, png }));
  }

  #append(toEvent: () => Uint8Array): void {
    if (!this.#file) return;
    this.#waiting.push(toEvent);
    if (this.#waiting.length > MOST_WAITING) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), this.#options.flushMs).unref();
  }

  #try(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    clearTimeout(this.#timer);
    this.#file?.close();
    this.#file = undefined;
    this.#options.onFailure(messageOf(error));
  }
}

/** TensorBoard reads the files of a folder in the order of their names: a new one comes last, whatever the clock says. */
function newFileName(folder: string, nowMs: number): string {
  const taken = readdirSync(folder).map((name) => Number(FILE_NAME.exec(name)?.[1] ?? 0));
  const seconds = Math.max(Math.floor(nowMs / 1000), ...taken.map((time) => time + 1));
  return `events.out.tfevents.${String(seconds).padStart(10, '0')}.${hostname()}.${process.pid}.ganglion`;
}
