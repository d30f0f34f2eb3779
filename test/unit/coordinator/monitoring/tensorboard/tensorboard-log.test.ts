// What TensorBoard itself makes of these files is in test/integration/readers.test.ts.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodePng } from '../../../../../coordinator/images/png.ts';
import {
  imageEvent,
  scalarsEvent,
  startEvent,
  versionEvent,
} from '../../../../../coordinator/monitoring/tensorboard/event.ts';
import { toRecord } from '../../../../../coordinator/monitoring/tensorboard/record-file.ts';
import {
  REAL_TAG,
  SAMPLES_TAG,
  TAGS,
  TensorBoardLog,
  type TensorBoardOptions,
} from '../../../../../coordinator/monitoring/tensorboard/tensorboard-log.ts';
import { CURVES } from '../../../../../shared/step-scalars.ts';
import { canMount, scratchFolder, smallFileSystem } from '../../../scratch.ts';

const NOW = 1_795_427_557_211;
const VALUES = [1.5, 0.25, 0.75, 0.125, 5, 6, 3000];
const PNG = encodePng({ width: 3, height: 2, pixels: new Uint8Array(6) });

function opened(folder: string, options: Partial<TensorBoardOptions> = {}) {
  const failures: string[] = [];
  const onFailure = (message: string) => failures.push(message);
  const log = new TensorBoardLog({ folder, resumedAt: null, onFailure, now: () => NOW, flushMs: 60_000, ...options });
  onTestFinished(() => log.close());
  return { log, failures };
}

const filesOf = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.startsWith('events.out'))
    .sort();
const newest = (folder: string): Buffer => readFileSync(join(folder, filesOf(folder).at(-1) ?? ''));
const recordsOf = (...events: Uint8Array[]): Buffer => Buffer.concat(events.map(toRecord));

describe('TensorBoardLog', () => {
  it('writes version, real digits, values and pictures; waiting ones when it is told to', () => {
    const folder = scratchFolder();
    writeFileSync(join(folder, 'real.png'), PNG);
    const { log, failures } = opened(folder);
    expect(filesOf(folder)).toEqual([`events.out.tfevents.1795427557.${hostname()}.${process.pid}.ganglion`]);
    expect(newest(folder)).toEqual(recordsOf(versionEvent(NOW)));
    log.real(join(folder, 'real.png'));
    log.step(1, VALUES);
    log.sample(1, PNG);
    expect(newest(folder)).toEqual(recordsOf(versionEvent(NOW)));
    log.flush();
    const picture = { width: 3, height: 2, png: PNG };
    const tags = CURVES.map((curve) => TAGS[curve]);
    const events = [
      versionEvent(NOW),
      imageEvent(NOW, 0, REAL_TAG, picture),
      scalarsEvent(NOW, 1, tags, VALUES),
      imageEvent(NOW, 1, SAMPLES_TAG, picture),
    ];
    expect(newest(folder)).toEqual(recordsOf(...events));
    log.step(2, VALUES);
    log.close();
    expect(newest(folder)).toEqual(recordsOf(...events, scalarsEvent(NOW, 2, tags, VALUES)));
    expect(failures).toEqual([]);
  });

  it('begins a new file at a resume, which comes last by its name and says from where on steps are new', () => {
    const folder = scratchFolder();
    opened(folder).log.close();
    opened(folder, { resumedAt: 30, now: () => NOW - 3_600_000 }).log.close(); // the clock was set back
    const seconds = filesOf(folder).map((name) => name.split('.')[3]);
    expect(seconds).toEqual(['1795427557', '1795427558']);
    expect(newest(folder)).toEqual(recordsOf(versionEvent(NOW - 3_600_000), startEvent(NOW - 3_600_000, 31)));
  });

  it('begins again with the real digits at a resume before the first step', () => {
    const folder = scratchFolder();
    opened(folder, { resumedAt: 0 }).log.close();
    expect(newest(folder)).toEqual(recordsOf(versionEvent(NOW), startEvent(NOW, 0)));
  });

  it('writes by itself after a time, and when much has come', async () => {
    const folder = scratchFolder();
    const { log } = opened(folder, { flushMs: 5 });
    log.step(1, VALUES);
    const before = newest(folder).length;
    while (newest(folder).length === before) await delay(5);
    const quiet = scratchFolder();
    const { log: patient } = opened(quiet);
    for (let step = 1; newest(quiet).length < 1000; step++) {
      patient.step(step, VALUES);
      expect(step).toBeLessThan(2000); // 260 kB
    }
  });

  it.skipIf(!canMount)('ends at a full disk, says so once, and costs nothing then', () => {
    const folder = smallFileSystem(16);
    const { log, failures } = opened(folder);
    log.step(1, VALUES);
    log.flush();
    const whole = newest(folder);
    for (let step = 2; step < 200; step++) log.step(step, VALUES);
    log.flush();
    for (let step = 200; step < 300; step++) log.step(step, VALUES);
    log.flush();
    log.close();
    expect(failures).toEqual([expect.stringMatching(/^cannot write .*tfevents.*: no space left on device$/)]);
    expect(newest(folder)).toEqual(whole);
  });

  it('does without a folder that cannot be written, and without a picture that is gone', () => {
    const folder = scratchFolder();
    rmSync(folder, { recursive: true });
    const { log, failures } = opened(folder);
    log.real(join(folder, 'real.png'));
    log.step(1, VALUES);
    log.flush();
    expect(failures).toEqual([expect.stringContaining('ENOENT')]);
    const other = scratchFolder();
    const made = opened(other);
    made.log.real(join(other, 'real.png'));
    expect(made.failures).toHaveLength(1);
  });
});
