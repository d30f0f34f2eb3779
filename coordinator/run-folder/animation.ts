// samples/epochs.gif: the samples of a run from fixed noise, animated.
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { messageOf } from '../../shared/error.ts';
import { removeFileSync, writeFileAtomicSync } from '../files/atomic-file.ts';
import { readRegular } from '../files/regular-file.ts';
import { GifWriter } from '../images/gif.ts';
import { decodePng } from '../images/png.ts';
import { ANIMATION, listSamples, MOST_PICTURE_BYTES, sampleName, spread } from './pictures.ts';

/** Maximum number of frames: of more samples, evenly spread ones with the first and the newest. */
const MOST_FRAMES = 100;
const FRAME_MS = 140;
/** The newest is shown for longer. */
const LAST_FRAME_MS = 3000;

/**
 * Writes it from the samples of the folder; none for fewer than two.
 *
 * @param onBroken receives the name of the first grid that cannot be read and is left out, and how many more there are
 * @throws GanglionError `environment` when it cannot be written
 */
export async function writeAnimation(samples: string, onBroken: (message: string) => void): Promise<void> {
  const path = join(samples, ANIMATION);
  const { steps } = await listSamples(samples);
  if (steps.length < 2) return removeAnimation(samples);
  const gif = new GifWriter();
  let frames = 0;
  let broken = 0;
  let first = '';
  for (const step of spread(steps, MOST_FRAMES)) {
    const picture = join(samples, sampleName(step));
    try {
      const frame = decodePng(await readRegular(picture, MOST_PICTURE_BYTES));
      gif.add(frame, step === steps.at(-1) ? LAST_FRAME_MS : FRAME_MS);
      frames += 1;
    } catch (error) {
      if (broken++ === 0) first = `${picture}: ${messageOf(error)}`;
    }
    await turn(); // signals and open pages come first
  }
  if (broken > 0) onBroken(broken === 1 ? first : `${first}; and ${broken - 1} more`);
  if (frames > 0) writeFileAtomicSync(path, gif.finish());
}

/** Removes the animation of an earlier end of the run. @throws GanglionError `environment` */
export function removeAnimation(samples: string): void {
  removeFileSync(join(samples, ANIMATION));
}
