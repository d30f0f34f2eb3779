// What a run leaves behind and what the commands print.
import { cpSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { rowsFor, tableOf } from '../unit/docs/markdown-tables.ts';
import {
  checkpointPath,
  filesBelow,
  ganglion,
  KERNELS,
  MAIN,
  oneTo,
  recordsOf,
  SMALL,
  scratchFolder,
  start,
  stepsOf,
  succeed,
  summaryOf,
} from './ganglion.ts';

const scratch = scratchFolder('outputs');
/** Two steps an epoch: as large a batch as makes that quick. */
const TWO_AN_EPOCH = ['--batch', '3400', '--shards', '20', '--seed', '7', '--workers', '2', '--metrics-port', 'off'];
const PIXELS = 28 * 28;
/** Side of a grid of 8 x 8 images with gaps of 2. */
const GRID = 8 * 30 - 2;
let run: string;
let stdout: string;

beforeAll(async () => {
  run = scratch('run');
  stdout = await succeed([
    'train',
    ...TWO_AN_EPOCH,
    '--steps',
    '3',
    '--checkpoint-every',
    '2',
    '--evaluate-every',
    '3',
    '--run',
    run,
  ]);
});

describe('a run', () => {
  it('leaves its config, logs, checkpoints, pictures, summary and report', () => {
    const names = filesBelow(run).map((name) =>
      name.replace(/^(events\.out\.tfevents)\.\d{10}\..+\.\d+\.ganglion$/, '$1'),
    );
    expect(names).toEqual([
      'checkpoints/step-00000000.safetensors',
      'checkpoints/step-00000002.safetensors',
      'checkpoints/step-00000003.safetensors',
      'config.json',
      'evaluations.jsonl',
      'events.jsonl',
      'events.out.tfevents',
      'metrics.jsonl',
      'report.html',
      'samples/epochs.gif',
      'samples/real.png',
      'samples/step-00000002.png',
      'samples/step-00000003.png',
      'summary.json',
    ]);
    const config = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'));
    expect(config).toMatchObject({ batch: 3400, shards: 20, seed: 7, steps: 3, epochs: null, lr: 2e-4, beta1: 0.5 });
    expect(config.dataSha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it('leaves the files and the fields of summary.json that docs/run-folder.md has', () => {
    const names = filesBelow(run)
      .map((name) => name.replace(/step-\d{8}\./, 'step-N.').replace(/^(events\.out\.tfevents\.).+$/, '$1*'))
      .toSorted();
    const files = tableOf('docs/run-folder.md', 'file').map(({ file }) => file);
    expect([...new Set(names)]).toEqual(files.toSorted());
    const there = Object.keys(summaryOf(run));
    const documented = rowsFor(tableOf('docs/run-folder.md', 'field', 2), 'field', there);
    expect(there).toEqual(documented.map(({ field }) => field));
  });

  it('logs one record a step', () => {
    expect(stepsOf(run)).toEqual(oneTo(3));
    expect(recordsOf(run).map(({ epoch }) => epoch)).toEqual([0, 0, 1]);
    for (const record of recordsOf(run)) {
      for (const value of Object.values(record)) expect(value).toEqual(expect.any(Number));
      expect(record.lossG).toBeGreaterThan(0);
    }
  });

  it('sums itself up in exactly the agreed keys', () => {
    const summary = summaryOf(run);
    expect(summary).toEqual({
      step: 3,
      epoch: 1,
      stateSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      emaSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      imagesPerSecond: expect.any(Number),
      wallSeconds: expect.any(Number),
      workers: 2,
      shards: 20,
      ...KERNELS,
      frechetDistance: expect.any(Number),
      bestFrechetDistance: summary.frechetDistance,
      bestStep: 3,
      restarts: 0,
      repeatedSteps: 0,
      lostSteps: 0,
    });
    expect(Number(summary.imagesPerSecond) * Number(summary.wallSeconds)).toBeCloseTo(3 * 3400, 3);
  });

  it('draws grids of 8 x 8 real digits once and of samples every epoch', () => {
    for (const name of ['real', 'step-00000002', 'step-00000003']) {
      const { width, height, data } = PNG.sync.read(readFileSync(join(run, 'samples', `${name}.png`)));
      expect([width, height]).toEqual([GRID, GRID]);
      const lit = new Set<number>();
      for (let cell = 0; cell < 64; cell++) {
        const corner = Math.floor(cell / 8) * 30 * GRID + (cell % 8) * 30;
        for (let i = 0; i < PIXELS; i++) {
          if ((data[4 * (corner + Math.floor(i / 28) * GRID + (i % 28))] ?? 0) > 64) lit.add(cell);
        }
      }
      expect(lit.size, name).toBe(64);
    }
  });

  it('says in lines where its pictures and checkpoints are', () => {
    expect(stdout).not.toContain('\x1b');
    const native = `${KERNELS.engine} ${KERNELS.libraryVersion}`;
    expect(stdout).toMatch(new RegExp(`^training: .*; 2 workers, 20 shards; ${native}\\n`));
    expect(stdout).toMatch(/^step 3\/3, \d+ images\/s, loss D \d+\.\d+, loss G \d+\.\d+, 0s left$/m);
    expect(stdout).toContain(`samples: ${join(run, 'samples')}\n`);
    expect(stdout).toContain(`checkpoints: ${join(run, 'checkpoints')}\n`);
    expect(stdout).toContain(`report: ${join(run, 'report.html')}\n`);
  });

  it('shows a progress bar on a terminal', async () => {
    const command = `${process.execPath} ${MAIN} train ${SMALL.join(' ')} --steps 8 --run ${scratch('tty')}`;
    const { exitCode, stdout: screen } = await start('script', ['-qec', command, '/dev/null']).ended;
    expect(exitCode).toBe(0);
    expect(screen).toMatch(/step \d+\/8 \|[^|]+\| \d+ images\/s, loss D [\d.]+, loss G [\d.]+, \S+ left/);
    expect(screen).toContain('\x1b[?25l'); // the cursor is hidden,
    expect(screen.lastIndexOf('\x1b[?25h')).toBeGreaterThan(screen.lastIndexOf('\x1b[?25l')); // and comes back
    expect(screen).toContain('samples: ');
  });
});

describe('inspect', () => {
  it('verifies a checkpoint and prints it', async () => {
    const text = await succeed(['inspect', checkpointPath(run, 3)]);
    expect(text).toMatch(/step-00000003\.safetensors: valid\nstep +3\nstate SHA-256 +[0-9a-f]{64}\n/);
    expect(text).toContain(String(summaryOf(run).stateSha256));
    expect(text).toMatch(/ {2}batch +3400\n/);
    expect(text).toMatch(/generator\.main\.0\.weight +F32 \[100, /);
  });

  it('verifies all of a run, and says which checkpoint is invalid', async () => {
    expect(await succeed(['inspect', run])).toContain(String(summaryOf(run).stateSha256));
    const broken = scratch('broken');
    cpSync(run, broken, { recursive: true });
    truncateSync(checkpointPath(broken, 3), 5000);
    const one = await ganglion(['inspect', broken]);
    expect(one.stdout).toMatch(/ {2}INVALID .*step-00000003/);
    expect(one.stdout).toMatch(/step-00000002\.safetensors: valid/);
    for (const step of [0, 2]) truncateSync(checkpointPath(broken, step), 5000);
    const all = await ganglion(['inspect', broken]);
    expect(all.exitCode).toBe(2);
    expect(all.stderr).toMatch(/^ganglion: .*: none of 3 checkpoints is valid\n$/);
    const file = await ganglion(['inspect', checkpointPath(broken, 2)]);
    expect(file.exitCode).toBe(2);
    expect(file.stderr).toMatch(/^ganglion: .*step-00000002\.safetensors: [^\n]+\n$/);
  });
});

describe('sample', () => {
  async function sample(name: string, ...args: string[]): Promise<Buffer> {
    await succeed(['sample', '--run', run, '--output', scratch(name), ...args]);
    return readFileSync(scratch(name));
  }
  /** Values of a .npy file, and its header. */
  function parseNpy(bytes: Buffer): { header: string; values: Float32Array } {
    expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x93NUMPY\x01\x00');
    const start = 10 + bytes.readUInt16LE(8);
    const values = Float32Array.from({ length: (bytes.length - start) / 4 }, (_, i) =>
      bytes.readFloatLE(start + 4 * i),
    );
    return { header: bytes.subarray(10, start).toString('latin1'), values };
  }

  it('writes float32 [N, 28, 28] in [-1, 1]; the same seed gives the same bytes, another other digits', async () => {
    const [a, b, other] = await Promise.all([
      sample('a.npy', '--count', '10', '--seed', '3'),
      sample('b.npy', '--count', '10', '--seed', '3'),
      sample('c.npy', '--count', '10', '--seed', '4'),
    ]);
    const { header, values } = parseNpy(a);
    expect(header).toContain("{'descr': '<f4', 'fortran_order': False, 'shape': (10, 28, 28), }");
    expect(values.length).toBe(10 * PIXELS);
    expect(values.every((value) => value >= -1 && value <= 1)).toBe(true);
    expect(new Set(values).size).toBeGreaterThan(PIXELS);
    expect(b.equals(a)).toBe(true);
    expect(other.equals(a)).toBe(false);
  });

  it('draws image i from (seed, i) alone, but for the statistics of the batch', async () => {
    const [few, many, batch] = await Promise.all([
      sample('few.npy', '--count', '10'),
      sample('many.npy', '--count', '70'),
      sample('batch.npy', '--count', '10', '--batch-statistics'),
    ]);
    const first = parseNpy(many).values.subarray(0, 10 * PIXELS);
    expect(Buffer.from(first.buffer, 0, 40 * PIXELS).equals(Buffer.from(parseNpy(few).values.buffer))).toBe(true);
    expect(batch.equals(few)).toBe(false);
  });

  it('draws a grid as PNG', async () => {
    const { width, height } = PNG.sync.read(await sample('grid.png', '--count', '70'));
    expect([width, height]).toEqual([9 * 30 - 2, 8 * 30 - 2]);
  });
});

it.each(['train', 'launch', 'sample', 'evaluate', 'export', 'view', 'report', 'inspect', 'doctor', 'data', 'setup'])(
  '%s --help has examples',
  async (command) => {
    const help = await succeed([command, '--help']);
    expect(help).toMatch(new RegExp(`^Usage: ganglion ${command}`));
    expect(help).toMatch(new RegExp(`\nExamples:\n  \\$ ganglion ${command}`));
  },
);
