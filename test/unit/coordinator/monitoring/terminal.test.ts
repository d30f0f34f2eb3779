import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Status } from '../../../../coordinator/monitoring/status.ts';
import { createTerminal, toTimeLeft } from '../../../../coordinator/monitoring/terminal.ts';

function statusAt(step: number, given: Partial<Status> = {}): Status {
  return {
    state: 'training',
    healthy: true,
    run: 'runs/a',
    backend: 'cpu',
    step,
    steps: 100,
    epoch: 0,
    imagesPerSecond: 1234.4,
    losses: { discriminator: 1.23456, generator: 0.5 },
    outputs: null,
    restarts: 0,
    replicas: [],
    nodes: [],
    checkpoint: null,
    ...given,
  };
}

/** A stream that remembers its text. */
class FakeStream extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly columns = 120;
  readonly rows = 20;

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(text: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += text;
    done();
  }
}

function terminalOn(isTTY: boolean) {
  const stream = new FakeStream(isTTY);
  const clock = { ms: 0 };
  const terminal = createTerminal(stream as unknown as NodeJS.WriteStream, {
    batch: 10,
    totalSteps: 100,
    now: () => clock.ms,
  });
  /** Steps of which the status was asked for. */
  const asked: number[] = [];
  const progress = (step: number, given?: Partial<Status>): void => {
    terminal.progress(step, () => {
      asked.push(step);
      return statusAt(step, given);
    });
  };
  return { stream, clock, terminal, progress, asked };
}

const ESCAPE = '\x1b';
/** An escape sequence, or one character. */
const TOKEN = new RegExp(`${ESCAPE}[78]|${ESCAPE}\\[\\??\\d*[A-Za-z]|[^]`, 'g');
/** Hides or shows the cursor. */
const CURSOR = new RegExp(`${ESCAPE}\\[\\?25[lh]`, 'g');

/** What a terminal shows: the escape sequences that cli-progress and terminal.ts use, on a screen that does not scroll. */
function screenOf(text: string): string[] {
  const rows: string[] = [''];
  let [row, column, savedRow, savedColumn] = [0, 0, 0, 0];
  for (const [token] of text.matchAll(TOKEN)) {
    const line = rows[row] ?? '';
    if (token === '\n') [row, column] = [row + 1, 0];
    else if (token === '\r' || token === '\x1b[1G') column = 0;
    else if (token === '\x1b7') [savedRow, savedColumn] = [row, column];
    else if (token === '\x1b8') [row, column] = [savedRow, savedColumn];
    else if (token === '\x1b[K' || token === '\x1b[0K') rows[row] = line.slice(0, column);
    else if (token.startsWith('\x1b[?'))
      continue; // cursor, line wrapping
    else if (token.startsWith('\x1b')) throw new Error(`unknown sequence ${JSON.stringify(token)}`);
    else {
      rows[row] = line.padEnd(column).slice(0, column) + token + line.slice(column + 1);
      column++;
    }
  }
  return rows.map((line) => line ?? '');
}

describe('toTimeLeft', () => {
  it.each([
    [90, 10, '10s'], // 10 steps of 10 images at 10 images a second
    [40, 10, '1m 0s'],
    [20, 10, '1m 20s'],
    [99, 1000, '0s'],
    [0, 0.1, '166m 40s'], // 10,000 s
    [0, 0, '-'],
  ])('at step %i of 100 with %d images a second: %s', (step, imagesPerSecond, expected) => {
    expect(toTimeLeft(statusAt(step, { imagesPerSecond }), 10)).toBe(expected);
  });
});

describe('a stream that is no terminal', () => {
  it('gets a line at once, then one every five seconds, and one for the last step', () => {
    const { stream, clock, progress, asked } = terminalOn(false);
    for (const [ms, step] of [
      [0, 1],
      [4999, 2],
      [5000, 3],
      [9999, 4],
      [10_100, 5],
      [10_200, 100],
    ] as const) {
      clock.ms = ms;
      progress(step, { imagesPerSecond: 10 });
    }
    expect(asked).toEqual([1, 3, 5, 100]); // the status costs more than a line that is not due
    const figures = '10 images/s, loss D 1.235, loss G 0.500';
    expect(stream.text.split('\n')).toEqual([
      `step 1/100, ${figures}, 1m 39s left`,
      `step 3/100, ${figures}, 1m 37s left`,
      `step 5/100, ${figures}, 1m 35s left`,
      `step 100/100, ${figures}, 0s left`,
      '',
    ]);
  });

  it('gets other lines as they are, and no escape sequences', () => {
    const { stream, terminal, progress } = terminalOn(false);
    terminal.line('metrics: http://localhost:9464');
    progress(1, { losses: null, imagesPerSecond: 0 });
    terminal.finish();
    expect(stream.text).toBe('metrics: http://localhost:9464\nstep 1/100, 0 images/s, loss D -, loss G -, - left\n');
  });
});

describe('a terminal', () => {
  it('shows a bar with the newest figures', () => {
    const { stream, terminal, progress } = terminalOn(true);
    progress(25);
    progress(50);
    terminal.finish();
    // 24 characters wide, half of them done; 50 steps of 10 images at 1234.4 a second.
    expect(screenOf(stream.text)[0]).toBe(
      'step 50/100 |============------------| 1234 images/s, loss D 1.235, loss G 0.500, 0s left',
    );
  });

  it('shows the cursor again at the end, once', () => {
    const { stream, terminal, progress } = terminalOn(true);
    terminal.finish(); // no bar yet
    expect(stream.text).toBe('');
    progress(25);
    terminal.finish();
    terminal.finish();
    expect(stream.text.match(CURSOR)).toEqual(['\x1b[?25l', '\x1b[?25h']);
  });

  it('keeps other lines and the bar apart, before, while and after it runs', () => {
    const { stream, terminal, progress } = terminalOn(true);
    terminal.line('training');
    progress(25);
    terminal.line('replica 1 failed');
    terminal.line('it was restarted');
    progress(50);
    terminal.finish();
    terminal.line('finished');
    const screen = screenOf(stream.text).filter((line) => line !== '');
    expect(screen.filter((line) => !line.startsWith('step '))).toEqual([
      'training',
      'replica 1 failed',
      'it was restarted',
      'finished',
    ]);
    expect(screen.filter((line) => line.startsWith('step 50/100 |'))).toHaveLength(1);
  });
});
