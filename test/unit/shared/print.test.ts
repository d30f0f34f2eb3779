import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { printJson, printLine } from '../../../shared/print.ts';

it('prints one line, whatever is in the text', () => {
  const stream = new PassThrough();
  printLine(stream, 'a\nb\u001b[2J\u009b2J\u202e');
  printLine(stream, 'x'.repeat(1e6));
  const [first, second, ...rest] = String(stream.read()).split('\n');
  expect(first).toBe('a\\nb\\u001b[2J\\u009b2J\\u202e');
  expect(second?.length).toBe(1000);
  expect(rest).toEqual(['']);
});

it('prints JSON whole', () => {
  const stream = new PassThrough();
  const value = { text: 'x'.repeat(1e5), run: '\u009b2J' };
  printJson(stream, value);
  expect(JSON.parse(String(stream.read()))).toEqual(value);
});

it('is all that writes to standard output and standard error', () => {
  const writers = ['coordinator', 'shared', 'workers'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name))
      .filter((path) =>
        readFileSync(path, 'utf8')
          .split('\n')
          .some(
            (line) => !/^\s*(\*|\/\/)/.test(line) && /\b(stdout|stderr|stream)\.write\(|\bconsole\.\w+\(/.test(line),
          ),
      ),
  );
  expect(writers).toEqual([
    'coordinator/main.ts', // before anything can be loaded
    'shared/print.ts',
    // Scripts for other processes, whose output is read.
    'workers/engines/cuda/nvrtc.ts',
    'workers/engines/tensorflow/build.ts',
  ]);
});
