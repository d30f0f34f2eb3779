// Progress of a run: a bar on a terminal, a line every few seconds elsewhere.
import { SingleBar } from 'cli-progress';
import { printLine } from '../../shared/print.ts';
import { isWatched } from '../machine/rank.ts';
import { type RunEvent, type RunSink, sentenceOf } from '../run-folder/run-event.ts';
import type { Status } from './status.ts';

/** Shows progress; the rest of the output goes through `line`, so that the bar stays whole. */
export interface Terminal {
  /** A step is done. @param status asked for only when something is shown, which most steps are not */
  progress(step: number, status: () => Status): void;
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

export interface TerminalOptions {
  readonly batch: number;
  readonly totalSteps: number;
  /** Monotonic clock in milliseconds. */
  readonly now?: () => number;
}

/** @param stream usually standard output */
export function createTerminal(stream: NodeJS.WriteStream, options: TerminalOptions): Terminal {
  return isWatched(stream) ? barTerminal(stream, options) : lineTerminal(stream, options);
}

/**
 * Shows a run on a terminal.
 *
 * @param status read when progress is shown
 */
export function terminalSink(terminal: Terminal, status: () => Status): RunSink {
  const line = (event: RunEvent, more = ''): void => {
    terminal.line(`${sentenceOf(event)}${more}`);
  };
  return {
    observe(event) {
      switch (event.kind) {
        case 'step':
          terminal.progress(event.record.step, status);
          break;
        case 'started':
        case 'lost':
        case 'gpuLost':
        case 'page':
        case 'straggler':
        case 'skipped':
        case 'resized':
        case 'evaluated':
        case 'nodesLost':
        case 'notice':
          line(event);
          break;
        case 'more':
          if (event.of !== 'checkpoint' && event.of !== 'restarted') line(event);
          break;
        case 'stopping':
          line(event, '; Ctrl-C again stops at once');
          break;
        case 'ended':
          terminal.finish();
          line(event, `, state ${event.stateSha256}`);
          break;
        case 'failed':
          terminal.finish(); // who ends the process says why
          break;
      }
    },
  };
}

function lineTerminal(stream: NodeJS.WritableStream, options: TerminalOptions): Terminal {
  const { batch, totalSteps, now = () => performance.now() } = options;
  let shownMs = Number.NEGATIVE_INFINITY;
  const line = (text: string): void => {
    printLine(stream, text);
  };
  return {
    line,
    finish() {},
    progress(step, newest) {
      if (now() - shownMs < LINE_EVERY_MS && step !== totalSteps) return;
      shownMs = now();
      const status = newest();
      line(`step ${status.step}/${status.steps}, ${figures(status)}, ${toTimeLeft(status, batch)} left`);
    },
  };
}

function barTerminal(stream: NodeJS.WriteStream, { batch, totalSteps }: TerminalOptions): Terminal {
  const bar = new SingleBar({
    stream,
    fps: FPS,
    hideCursor: true,
    barsize: 24,
    gracefulExit: false, // signals belong to the run
    format: 'step {value}/{total} |{bar}| {figures}, {left} left',
  });
  let running = false;
  let newest: (() => Status) | undefined;
  /** Read by the bar whenever it draws itself. */
  const payload = {
    get figures() {
      return newest && figures(newest());
    },
    get left() {
      return newest && toTimeLeft(newest(), batch);
    },
  };
  const finish = (): void => {
    if (running) bar.stop();
    running = false;
  };
  return {
    finish,
    progress(step, status) {
      newest = status;
      if (running) bar.update(step);
      else bar.start(totalSteps, step, payload);
      running = true;
    },
    line(text) {
      // At its end the bar jumps back to the line where it began: it must not have moved by then. The next one begins below.
      finish();
      printLine(stream, text);
    },
  };
}
