// Progress of reading data: a bar on a terminal, a line every few seconds elsewhere. Data that is there at once shows neither.
import { SingleBar } from 'cli-progress';
import { printLine } from '../../shared/print.ts';
import { isWatched } from '../machine/rank.ts';

/** Reading that is over sooner is not shown. */
const QUIET_MS = 1000;
const LINE_EVERY_MS = 5000;

export interface ReadingProgress {
  show(done: number, total: number): void;
  /** Ends the bar. */
  finish(): void;
}

/** @param now monotonic clock in milliseconds */
export function createReadingProgress(
  stream: NodeJS.WriteStream,
  now: () => number = () => performance.now(),
): ReadingProgress {
  const startedMs = now();
  let shownMs = startedMs + QUIET_MS - LINE_EVERY_MS;
  let bar: SingleBar | undefined;
  return {
    show(done, total) {
      if (now() - startedMs < QUIET_MS) return;
      if (isWatched(stream)) {
        if (bar === undefined) {
          const format = 'reading [{bar}] {value} of {total} images';
          bar = new SingleBar({ stream, format, hideCursor: true, gracefulExit: false, clearOnComplete: true });
          bar.start(total, done);
        }
        bar.update(done);
      } else if (now() - shownMs >= LINE_EVERY_MS) {
        shownMs = now();
        printLine(stream, `reading images: ${done} of ${total}`);
      }
    },
    finish() {
      bar?.stop();
      bar = undefined;
    },
  };
}
