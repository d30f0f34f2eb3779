// A disk that is read-only or full at any point of a run: one line, exit code 1, and what was written is whole. The file
// systems are small tmpfs, whose pages of 4 KiB say exactly which file is the first that does not fit.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canMount } from '../unit/scratch.ts';
import {
  type Ended,
  expectWhole,
  filesBelow,
  ganglion,
  SMALL,
  scratchFolder,
  snapshot,
  stepsOf,
  succeed,
} from './ganglion.ts';

const scratch = scratchFolder('disk');
const mounted: string[] = [];
const PAGE = 4096;
/** By which the config of a run below may be longer than that of the run that is measured. */
const SLACK = 64;
/** A setting that makes the config longer, which checkpoints have in them, too: where they would end beside the end of a page. */
let padding: string[] = [];

afterAll(() => {
  for (const folder of mounted) execFileSync('umount', ['--lazy', folder]);
});

function mountSmall(name: string, options: string): string {
  const folder = scratch(name);
  mkdirSync(folder);
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
  mounted.push(folder);
  return folder;
}

function expectOneLine({ exitCode, stderr }: Ended, reason: RegExp): void {
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringMatching(/^ganglion: [^\n]+\n$/) });
  expect(stderr).toMatch(reason);
}

function trainIn(run: string, ...args: string[]): Promise<Ended> {
  // What is written for TensorBoard when would have a share in every place below; a place of its own says what it does.
  return ganglion(['train', ...SMALL, '--workers', '1', '--tensorboard', 'off', ...padding, ...args, '--run', run]);
}

/** Bytes that files of these sizes take, in whole pages. */
function bytesFor(...sizes: number[]): string {
  return `size=${sizes.reduce((sum, size) => sum + Math.ceil(size / PAGE), 0) * PAGE}`;
}

describe.skipIf(!canMount)('a read-only disk', () => {
  it('refuses a new run', async () => {
    const folder = mountSmall('ro-new', 'ro,size=1m');
    expectOneLine(await trainIn(join(folder, 'run')), /cannot make run folder .*read-only file system/);
  });

  it('refuses to go on with a run', async () => {
    const folder = mountSmall('ro-resume', 'size=64m');
    const run = join(folder, 'run');
    await succeed(['train', ...SMALL, '--workers', '1', '--steps', '1', '--run', run]);
    execFileSync('mount', ['-o', 'remount,ro', folder]);
    expectOneLine(await ganglion(['train', '--resume', run, '--steps', '2']), /cannot write .*read-only file system/);
    await expectWhole(run);
  });
});

describe.skipIf(!canMount)('a full disk', () => {
  /** Sizes of the files of a run of 2 steps. */
  let config: number;
  let real: number;
  let samples: number;
  let checkpoint: number;
  /** What is written before the first step. */
  let start: number[];

  beforeAll(async () => {
    const measure = async (run: string): Promise<void> => {
      await succeed(['train', ...SMALL, '--workers', '1', '--steps', '2', ...padding, '--run', run]);
      const sizeOf = (...parts: string[]) => statSync(join(run, ...parts)).size;
      config = sizeOf('config.json') + SLACK; // the folder's name is in it
      real = sizeOf('samples', 'real.png');
      samples = sizeOf('samples', 'step-00000002.png');
      checkpoint = sizeOf('checkpoints', 'step-00000002.safetensors') + SLACK;
    };
    const isWithin = (size: number): boolean => size % PAGE > SLACK + 16 && size % PAGE < PAGE - SLACK;
    await measure(scratch('sizes'));
    for (let longer = 0; ![config + longer, checkpoint + longer].every(isWithin); longer += 200) {
      padding = ['--base-path', `/${'x'.repeat(longer + 200)}`];
    }
    if (padding.length > 0) await measure(scratch('padded'));
    expect([config, checkpoint].filter((size) => !isWithin(size))).toEqual([]);
    start = [PAGE, config, checkpoint, real, PAGE]; // the first is lock.json, the last events.jsonl
  });

  /**
   * What the file system has room for, the file that then fails, and the steps that are in the log all the same: where it is a
   * checkpoint, at least so many, since training goes on while it is written.
   */
  const places: [fails: string, room: () => string, args: string[], steps: number | undefined][] = [
    ['the folders', () => 'size=64m,nr_inodes=2', [], undefined],
    ['config.json', () => 'size=64m,nr_inodes=5', [], undefined],
    ['step-00000000.safetensors', () => bytesFor(PAGE, config, checkpoint / 2), [], undefined],
    ['real.png', () => bytesFor(...start.slice(0, 3), real - PAGE), [], undefined],
    ['metrics.jsonl', () => bytesFor(...start), [], 0],
    // A step whose samples cannot be written is not logged.
    ['step-00000001.png', () => bytesFor(...start, PAGE), ['--samples-every', '1'], 0],
    ['step-00000002.png', () => bytesFor(...start, PAGE, samples), ['--samples-every', '1'], 1],
    ['step-00000002.safetensors', () => bytesFor(...start, PAGE, checkpoint / 2), ['--checkpoint-every', '2'], 2],
    [
      'step-00000004.safetensors',
      () => bytesFor(...start, PAGE, checkpoint, checkpoint - PAGE),
      ['--checkpoint-every', '2'],
      4,
    ],
    // A record that lies across the end of the first page: half of it fits.
    ['metrics.jsonl', () => bytesFor(...start, PAGE), [], undefined],
    // Events for TensorBoard have taken the page.
    ['metrics.jsonl', () => bytesFor(...start, PAGE), ['--tensorboard', 'on'], 0],
  ];

  it.concurrent.each(places)('%s does not fit (%s, %j)', async (fails, room, args, steps) => {
    const folder = mountSmall(`full-${mounted.length}`, room());
    const run = join(folder, 'run');
    const ended = await trainIn(run, '--steps', '40', ...args);
    expectOneLine(ended, /no space left on device/);
    if (fails !== 'the folders') expect(ended.stderr).toContain(fails);
    await expectWhole(run);
    if (steps !== undefined && fails.endsWith('.safetensors')) {
      expect(stepsOf(run).length).toBeGreaterThanOrEqual(steps);
      expect(filesBelow(join(run, 'checkpoints'))).not.toContain(fails);
    } else if (steps !== undefined) expect(stepsOf(run)).toHaveLength(steps);
    expect(filesBelow(run)).not.toContain('summary.json');
  });

  it('in the middle of a run leaves a run that goes on once there is room', async () => {
    const whole = scratch('whole');
    const folder = mountSmall('again', bytesFor(...start, PAGE, checkpoint, PAGE));
    const run = join(folder, 'run');
    expectOneLine(await trainIn(run, '--steps', '6', '--checkpoint-every', '2'), /no space left on device/);
    const before = snapshot(run);
    expect(() => writeFileSync(join(folder, 'filler'), Buffer.alloc(checkpoint))).toThrow(/ENOSPC/);
    expectOneLine(await ganglion(['train', '--resume', run]), /cannot write .*lock\.json: no space left on device/);
    expect(snapshot(run)).toEqual(before);
    const moved = scratch('moved');
    cpSync(run, moved, { recursive: true });
    const [resumed, straight] = await Promise.all([
      succeed(['train', '--resume', moved]),
      succeed(['train', ...SMALL, '--workers', '1', '--steps', '6', '--run', whole]),
    ]);
    const hash = /state ([0-9a-f]{64})/;
    expect(hash.exec(resumed)?.[1]).toBe(hash.exec(straight)?.[1]);
    expect(stepsOf(moved)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
