// Progress of a set-up: a bar on a terminal, else a line at intervals. It writes to stderr, so that
// stdout carries results only.

import { SingleBar } from 'cli-progress';
import { printLine } from '../../shared/print.ts';

const LINE_INTERVAL_MS = 5_000;

/** Where set-up reports to. */
export interface Progress {
  /** Says one thing, on a line of its own. */
  line(text: string): void;
  /** Starts to report a transfer of `totalBytes`; `stop` ends the bar and must always be called. */
  transfer(label: string, totalBytes: number): Transfer;
}

/** A transfer in progress. */
export interface Transfer {
  update(bytes: number): void;
  stop(): void;
}

/** The stream that progress goes to: a terminal or anything that takes text. */
export interface ProgressStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
}

/** Progress on `stream`; `now` is a clock in milliseconds. */
export function createProgress(stream: ProgressStream, now: () => number = Date.now): Progress {
  const line = (text: string) => {
    printLine(stream, text);
  };
  return {
    line,
    transfer: (label, totalBytes) =>
      stream.isTTY === true ? barTransfer(stream, label, totalBytes) : lineTransfer(line, label, totalBytes, now),
  };
}

function barTransfer(stream: ProgressStream, label: string, totalBytes: number): Transfer {
  const bar = new SingleBar({
    stream,
    format: `${label} [{bar}] {percentage}% | {value} of {total} MB`,
    formatValue: (value, _options, type) =>
      type === 'value' || type === 'total' ? (value / 1e6).toFixed(0) : String(value),
    hideCursor: true,
  });
  bar.start(totalBytes, 0);
  return { update: (bytes) => bar.update(Math.min(bytes, totalBytes)), stop: () => bar.stop() };
}

function lineTransfer(line: (text: string) => void, label: string, totalBytes: number, now: () => number): Transfer {
  const total = (totalBytes / 1e6).toFixed(0);
  let lastMs = now();
  line(`${label} (${total} MB)`);
  return {
    update: (bytes) => {
      if (now() - lastMs < LINE_INTERVAL_MS) return;
      lastMs = now();
      line(`${label}: ${(Math.min(bytes, totalBytes) / 1e6).toFixed(0)} of ${total} MB`);
    },
    stop: () => {},
  };
}
