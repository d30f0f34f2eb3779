// What a person sees while a run goes on: a progress bar on a terminal, a line every few seconds elsewhere.
import { SingleBar } from 'cli-progress';
import type { Status } from './status.ts';

/** Shows progress; the rest of the output goes through `line`, so that the bar stays whole. */
export interface Terminal {
  progress(status: Status): void;
  line(text: string): void;
  /** Ends the bar. */
  finish(): void;
}

const LINE_EVERY_MS = 5_000;
/** Redraws a second. */
const FPS = 5;

function figures({ imagesPerSecond, losses }: Status): string {
  const [d, g] = losses ? [losses.discriminator.toFixed(3), losses.generator.toFixed(3)] : ['-', '-'];
  return `${imagesPerSecond.toFixed(0)} images/s, loss D ${d}, loss G ${g}`;
}

/** Time left at the present speed: `1m 20s`. */
export function toTimeLeft({ step, steps, imagesPerSecond }: Status, batch: number): string {
  if (imagesPerSecond === 0) return '-';
  const seconds = Math.round(((steps - step) * batch) / imagesPerSecond);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m ${seconds % 60}s`;
}

/**
 * @param stream usually standard output
 * @param now monotonic clock in milliseconds
 */
export function createTerminal(
  stream: NodeJS.WriteStream,
  batch: number,
  now: () => number = () => performance.now(),
): Terminal {
  return stream.isTTY ? barTerminal(stream, batch) : lineTerminal(stream, batch, now);
}

function lineTerminal(stream: NodeJS.WritableStream, batch: number, now: () => number): Terminal {
  let shownMs = Number.NEGATIVE_INFINITY;
  const line = (text: string): void => {
    stream.write(`${text}\n`);
  };
  return {
    line,
    finish() {},
    progress(status) {
      const last = status.step === status.steps;
      if (now() - shownMs < LINE_EVERY_MS && !last) return;
      shownMs = now();
      line(`step ${status.step}/${status.steps}, ${figures(status)}, ${toTimeLeft(status, batch)} left`);
    },
  };
}

function barTerminal(stream: NodeJS.WriteStream, batch: number): Terminal {
  const bar = new SingleBar({
    stream,
    fps: FPS,
    hideCursor: true,
    barsize: 24,
    gracefulExit: false, // signals belong to the run
    format: 'step {value}/{total} |{bar}| {figures}, {left} left',
  });
  let running = false;
  const finish = (): void => {
    if (running) bar.stop();
    running = false;
  };
  return {
    finish,
    progress(status) {
      const payload = { figures: figures(status), left: toTimeLeft(status, batch) };
      if (!running) bar.start(status.steps, status.step, payload);
      else bar.update(status.step, payload);
      running = true;
    },
    line(text) {
      // At its end the bar jumps back to the line where it began: it must not have moved by then. The next one begins below.
      finish();
      stream.write(`${text}\n`);
    },
  };
}
