import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createProgress } from '../../../../workers/build/progress.ts';

describe('createProgress', () => {
  it('writes a line now and then where there is no terminal', () => {
    const stream = new PassThrough();
    let nowMs = 0;
    const transfer = createProgress(stream, () => nowMs).transfer('downloading', 274e6);
    for (const [atMs, bytes] of [
      [1_000, 10e6],
      [5_000, 50e6],
      [6_000, 60e6],
      [11_000, 400e6],
    ] as const) {
      nowMs = atMs;
      transfer.update(bytes);
    }
    transfer.stop();
    expect(String(stream.read())).toBe('downloading (274 MB)\ndownloading: 50 of 274 MB\ndownloading: 274 of 274 MB\n');
  });

  it('draws a bar on a terminal', () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 120, cursorTo() {}, clearLine() {} });
    const transfer = createProgress(stream).transfer('downloading', 200e6);
    transfer.update(100e6);
    transfer.stop();
    expect(String(stream.read())).toMatch(/downloading \[.*\] 50% \| 100 of 200 MB/);
  });
});
