// What others make of a run's files: TensorBoard of its events, also of one that was killed and went on, and Pillow of its animation.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PNG } from 'pngjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { TAGS } from '../../coordinator/monitoring/tensorboard/tensorboard-log.ts';
import { filesBelow, oneTo, recordsOf, SMALL, scratchFolder, startGanglion, stepsOf, succeed } from './ganglion.ts';
import { read, withoutPip } from './python.ts';

const scratch = scratchFolder('readers');
const RUN = scratch('run');
const INSTALL_MS = 300_000;
const EVERY = 5;

interface Events {
  readonly version: number;
  readonly scalars: Readonly<Record<string, [step: number, value: number][]>>;
  readonly images: Readonly<Record<string, [step: number, width: number, height: number, sha256: string][]>>;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const eventFiles = (): string[] =>
  readdirSync(RUN)
    .filter((name) => name.startsWith('events.out.tfevents.'))
    .sort();
const newestCheckpoint = (): number =>
  Math.max(-1, ...filesBelow(join(RUN, 'checkpoints')).map((name) => Number(/^step-(\d+)\.saf/.exec(name)?.[1] ?? -1)));

/** The newest step in an events file: field 2 of an event, which follows its time. */
function newestStep(file: string): number {
  const bytes = readFileSync(file);
  let newest = 0;
  for (let at = 0; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    const event = bytes.subarray(at + 12, at + 12 + length);
    if (event[9] === 0x10)
      newest = Math.max(newest, ((event[10] ?? 0) & 127) + ((event[10] ?? 0) > 127 ? 128 * (event[11] ?? 0) : 0));
    at += 12 + length + 4;
  }
  return newest;
}

describe.skipIf(withoutPip)('a run that was killed and went on', () => {
  /** Steps of the run in all. */
  let steps: number;

  beforeAll(async () => {
    const args = ['--workers', '1', '--steps', '10000', '--samples-every', String(EVERY), '--checkpoint-every', '20'];
    const first = startGanglion(['train', ...SMALL, ...args, '--run', RUN]);
    // Until there is a checkpoint, and steps after it are in the events.
    for (;;) {
      const [file] = existsSync(RUN) ? eventFiles() : [];
      const checkpoint = file === undefined ? -1 : newestCheckpoint();
      if (file !== undefined && checkpoint >= 20 && newestStep(join(RUN, file)) > checkpoint) break;
      await delay(20);
    }
    first.child.kill('SIGKILL');
    await first.ended;
    const [file = ''] = eventFiles();
    expect(newestStep(join(RUN, file))).toBeGreaterThan(newestCheckpoint()); // or else the test shows nothing
    steps = (Math.ceil(Math.max(...stepsOf(RUN).map(Number)) / EVERY) + 1) * EVERY;
    await succeed(['train', '--resume', RUN, '--steps', String(steps)]);
  });

  it('shows TensorBoard every value of every step once, those of the log', { timeout: INSTALL_MS }, () => {
    expect(eventFiles()).toHaveLength(2);
    const { version, scalars } = read('read_events.py', RUN) as Events;
    expect(version).toBe(2);
    const log = recordsOf(RUN);
    expect(log).toHaveLength(steps);
    const valuesOf = (toValue: (record: Readonly<Record<string, number>>) => number) =>
      log.map((record) => [record.step, Math.fround(toValue(record as Record<string, number>))]);
    const names = ['lossG', 'outputReal', 'outputFake', 'gradientNormD', 'gradientNormG', 'imagesPerSecond'] as const;
    const expected = Object.fromEntries(
      names.map((name) => [TAGS[name], valuesOf((record) => record[name] ?? Number.NaN)]),
    );
    const lossD = valuesOf(({ lossDReal = Number.NaN, lossDFake = Number.NaN }) => lossDReal + lossDFake);
    expect(scalars).toEqual({ [TAGS.lossD]: lossD, ...expected });
    expect(lossD.map(([step]) => step)).toEqual(oneTo(steps));
  });

  it('shows TensorBoard every picture, byte by byte', { timeout: INSTALL_MS }, () => {
    const { images } = read('read_events.py', RUN) as Events;
    const pictureOf = (step: number, name: string) => [
      step,
      238,
      238,
      sha256(readFileSync(join(RUN, 'samples', name))),
    ];
    const drawn = oneTo(steps / EVERY).map((i) => EVERY * i);
    expect(images).toEqual({
      'samples/real': [pictureOf(0, 'real.png')],
      'samples/fixed noise': drawn.map((step) => pictureOf(step, `step-${String(step).padStart(8, '0')}.png`)),
    });
  });

  it('shows Pillow an animation whose frames are its pictures', { timeout: INSTALL_MS }, () => {
    const drawn = filesBelow(join(RUN, 'samples')).filter((name) => name.startsWith('step-'));
    expect(drawn).toHaveLength(steps / EVERY);
    const frames = read('read_gif.py', join(RUN, 'samples', 'epochs.gif'));
    const expected = drawn.map((name, i) => {
      const { width, height, data } = PNG.sync.read(readFileSync(join(RUN, 'samples', name)));
      const grey = data.filter((_, at) => at % 4 === 0);
      return { size: [width, height], ms: i === drawn.length - 1 ? 3000 : 140, loop: 0, pixels: sha256(grey) };
    });
    expect(frames).toEqual(expected);
  });
});
