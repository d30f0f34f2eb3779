import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodePng } from '../../../../coordinator/images/png.ts';
import { removeAnimation, writeAnimation } from '../../../../coordinator/run-folder/animation.ts';
import { sampleName } from '../../../../coordinator/run-folder/pictures.ts';
import { scratchFolder } from '../../scratch.ts';

/** A folder with a picture of one grey for each step. */
function pictured(...steps: number[]): string {
  const folder = scratchFolder();
  for (const step of steps) {
    const png = encodePng({ width: 4, height: 4, pixels: new Uint8Array(16).fill(step % 256) });
    writeFileSync(join(folder, sampleName(step)), png);
  }
  return folder;
}

/** The first pixel and the delay of every frame; each is 4 x 4 of one grey, whose code stands at a fixed place. */
function framesOf(folder: string): { grey: number; delay: number }[] {
  const gif = readFileSync(join(folder, 'epochs.gif'));
  const frames: { grey: number; delay: number }[] = [];
  const control = Buffer.of(0x21, 0xf9, 4);
  for (let at = gif.indexOf(control); at !== -1; at = gif.indexOf(control, at + 1)) {
    // Control block of 8 bytes, image descriptor of 10, code size, block size; then a clear code of 9 bits (256), and the grey's.
    const bits = gif.readUInt32LE(at + 8 + 10 + 2);
    frames.push({ grey: (bits >> 9) & 511, delay: gif.readUInt16LE(at + 4) });
  }
  return frames;
}

const broken: string[] = [];
const write = (folder: string): Promise<void> => writeAnimation(folder, (message) => broken.push(message));

describe('writeAnimation', () => {
  it('has the pictures in order, the newest for longer', async () => {
    const folder = pictured(156, 78, 200);
    await write(folder);
    expect(framesOf(folder)).toEqual([
      { grey: 78, delay: 14 },
      { grey: 156, delay: 14 },
      { grey: 200, delay: 300 },
    ]);
    expect(broken).toEqual([]);
  });

  it('has 100 evenly spread ones of more', async () => {
    const folder = pictured(...Array.from({ length: 250 }, (_, i) => i + 1));
    await write(folder);
    const greys = framesOf(folder).map(({ grey }) => grey);
    expect(greys).toHaveLength(100);
    expect([greys[0], greys.at(-1)]).toEqual([1, 250]);
    const gaps = greys.slice(1).map((grey, i) => grey - (greys[i] ?? 0));
    expect(new Set(gaps)).toEqual(new Set([2, 3]));
  });

  it('leaves out what cannot be read, and says so', async () => {
    const folder = pictured(1, 3);
    writeFileSync(join(folder, sampleName(2)), 'no picture');
    await write(folder);
    expect(framesOf(folder).map(({ grey }) => grey)).toEqual([1, 3]);
    expect(broken).toEqual([expect.stringContaining('step-00000002.png')]);
    broken.splice(0);
    for (const step of [4, 5]) writeFileSync(join(folder, sampleName(step)), 'no picture');
    await write(folder);
    expect(broken).toEqual([expect.stringMatching(/step-00000002\.png: [^\n]+; and 2 more$/)]);
  });

  it('is none of fewer than two pictures; an old one goes', async () => {
    const folder = pictured(1, 2);
    await write(folder);
    removeAnimation(folder);
    expect(existsSync(join(folder, 'epochs.gif'))).toBe(false);
    const one = pictured(1);
    writeFileSync(join(one, 'epochs.gif'), 'old');
    await write(one);
    expect(existsSync(join(one, 'epochs.gif'))).toBe(false);
    await write(join(one, 'missing'));
  });
});
