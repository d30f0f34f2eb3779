// Logs that are longer than memory, or than V8's longest string (512 MiB), and lines that are no records.
import { closeSync, openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { JsonLines, readJsonLines } from '../../../../coordinator/files/json-lines.ts';
import { LineSplitter } from '../../../../coordinator/files/line-splitter.ts';
import { lastEngine } from '../../../../coordinator/run-folder/last-engine.ts';
import { countStepFaults } from '../../../../coordinator/run-folder/step-faults.ts';
import { scratchFolder } from '../../scratch.ts';

const MOST_LINE = 2 ** 20;

/** A log of two records with a line of 600 MB between them, which takes no space on the disk. */
function logWithHugeLine(name = 'metrics.jsonl', fields = ''): string {
  const path = join(scratchFolder(), name);
  writeFileSync(path, `{"step":1${fields}}\n`);
  truncateSync(path, 600_000_000);
  const descriptor = openSync(path, 'a');
  writeSync(descriptor, '\n{"step":2}\n');
  closeSync(descriptor);
  return path;
}

describe('a line of 600 MB', () => {
  it('is damaged to whoever reads, in memory that does not grow', async () => {
    const path = logWithHugeLine('events.jsonl', ',"environment":{"engine":"tfjs-wasm"}');
    const before = process.memoryUsage();
    const seen: unknown[] = [];
    await readJsonLines(path, (record) => seen.push(record));
    expect(seen).toMatchObject([{ step: 1 }, { step: 2 }]);
    expect(await countStepFaults(path, 3)).toEqual({ lostSteps: 1, repeatedSteps: 0 });
    expect(lastEngine(join(path, '..'))).toBe('tfjs-wasm');
    const after = process.memoryUsage();
    expect(after.rss - before.rss).toBeLessThan(2e8);
  });

  it('ends what a resume keeps', async () => {
    const path = logWithHugeLine();
    const log = await JsonLines.open(path, () => true);
    expect(statSync(path).size).toBe('{"step":1}\n'.length);
    log.append({ step: 2 });
    log.close();
    expect(readFileSync(path, 'utf8')).toBe('{"step":1}\n{"step":2}\n');
  });
});

describe('LineSplitter', () => {
  const text = '{"a":"é"}\n{"b":\nnull\n\n{"c":[1,2]}\n{"cut';
  const whole = Buffer.from(text);

  it.each(Array.from({ length: whole.length }, (_, i) => i + 1))(
    'gives the same lines in pieces of %i bytes',
    (size) => {
      const splitter = new LineSplitter();
      const lines = [];
      for (let from = 0; from < whole.length; from += size) {
        const piece = Buffer.from(whole.subarray(from, from + size));
        lines.push(...splitter.split(piece));
        piece.fill(0); // it is not kept
      }
      expect(lines).toEqual([
        { record: { a: 'é' }, end: 11 },
        { record: undefined, end: 17 },
        { record: null, end: 22 },
        { record: undefined, end: 23 },
        { record: { c: [1, 2] }, end: 35 },
      ]);
      expect(splitter.bytes).toBe(whole.length);
    },
  );

  it('takes a line of 1 MiB and none of a byte more, and goes on after it', () => {
    const line = (bytes: number): string => `"${'x'.repeat(bytes - 2)}"\n`;
    const lines = new LineSplitter().split(Buffer.from(line(MOST_LINE) + line(MOST_LINE + 1) + line(5)));
    expect(lines.map(({ record }) => (typeof record === 'string' ? record.length : record))).toEqual([
      MOST_LINE - 2,
      undefined,
      3,
    ]);
  });
});

describe('countStepFaults', () => {
  it('counts over any number of steps, in any order', async () => {
    const path = join(scratchFolder(), 'a.jsonl');
    const steps = Array.from({ length: 140_000 }, (_, i) => i + 1);
    const without = steps.filter((step) => step !== 70_000 && step !== 131_072);
    const shown = [...without, 5, 139_999, 131_073, 1e15, -1, 0.5].map((step) => `{"step":${step}}\n`);
    writeFileSync(path, shown.join(''));
    expect(await countStepFaults(path, 140_000)).toEqual({ lostSteps: 2, repeatedSteps: 3 });
    expect(await countStepFaults(path, 140_001)).toEqual({ lostSteps: 3, repeatedSteps: 3 });
    writeFileSync(path, shown.toReversed().join(''));
    expect(await countStepFaults(path, 140_000)).toEqual({ lostSteps: 2, repeatedSteps: 3 });
  });
});

it('a log that an editor saved with a byte order mark and the line ends of Windows keeps its records', async () => {
  const path = join(scratchFolder(), 'metrics.jsonl');
  const saved = '\ufeff{"step":1}\r\n{"step":2}\r\n';
  writeFileSync(path, saved);
  const log = await JsonLines.open(path, () => true);
  log.append({ step: 3 });
  log.close();
  expect(readFileSync(path, 'utf8')).toBe(`${saved}{"step":3}\n`);
  expect(await countStepFaults(path, 3)).toEqual({ lostSteps: 0, repeatedSteps: 0 });
});
