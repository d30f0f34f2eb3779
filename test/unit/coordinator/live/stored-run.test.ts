import { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toDataset } from '../../../../coordinator/data/dataset.ts';
import { openStoredRun } from '../../../../coordinator/live/stored-run.ts';
import { toRunConfig } from '../../../../coordinator/run-folder/run-config.ts';
import { createRunFolder, writeJson } from '../../../../coordinator/run-folder/run-folder.ts';
import { mergeSettings } from '../../../../coordinator/settings/settings.ts';
import type { Settings } from '../../../../coordinator/settings/settings-table.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';

function record(step: number, epoch = 0) {
  const losses = { lossDReal: 1, lossDFake: 2, lossG: step, outputReal: 0.75, outputFake: 0.25 };
  return { step, epoch, ...losses, gradientNormD: 5, gradientNormG: 6, seconds: 0.1, imagesPerSecond: 1000 };
}

function storedRun(settings: Partial<Settings> = {}) {
  const folder = createRunFolder(join(scratchFolder(), 'run'));
  const dataset = toDataset('two digits', new Uint8Array(2 * 784), Uint8Array.of(3, 4), [28, 28, 1]);
  writeJson(folder.config, { ...toRunConfig(mergeSettings({ epochs: 3 }, settings), dataset), chosenBackend: 'cpu' });
  const log = (...records: unknown[]): void => {
    for (const each of records) appendFileSync(folder.metrics, `${JSON.stringify(each)}\n`);
  };
  return { folder, log };
}

describe('openStoredRun', () => {
  it('has curves, status, pictures and events of a run that has ended', async () => {
    const { folder, log } = storedRun();
    log(record(1), record(2), record(3, 1), record(4, 1), record(5, 2), record(6, 2));
    writeJson(folder.summary, { step: 6, imagesPerSecond: 1234.5, restarts: 2, stateSha256: 'ab' });
    writeFileSync(join(folder.samples, 'step-00000004.png'), '');
    const event = { time: 5, step: 6, kind: 'end', text: 'finished' };
    writeFileSync(folder.events, `${JSON.stringify(event)}\n{"time":6,"step":6,"kind":"else","text":""}\nnull\n{"ti`);
    const run = await openStoredRun(folder.path);
    expect(run.info).toMatchObject({ name: 'run', actions: null, summary: { stateSha256: 'ab' }, batch: 128 });
    expect(run.info.events).toEqual([{ seq: 1, ...event }]);
    const figures = {
      step: 6,
      steps: 6,
      epoch: 2,
      imagesPerSecond: 1235,
      restarts: 2,
      sample: 4,
      replicas: [],
      nodes: [],
    };
    expect(run.status).toMatchObject({ state: 'finished', ...figures });
    const { steps, curves } = run.read({ from: 0, to: 99, points: 10 });
    expect(steps).toEqual([1, 2, 3, 4, 5, 6]);
    expect(curves.lossG.mean).toEqual([1, 2, 3, 4, 5, 6]);
    expect(curves.lossD.mean[0]).toBe(3);
  });

  it('has what there is of a run that was killed, whose last record is cut', async () => {
    const { folder, log } = storedRun({ epochs: 30 });
    log(record(1), { ...record(2), lossG: null, skipped: [{ phase: 'generator', bad: ['x is NaN'] }] });
    appendFileSync(folder.metrics, '{"step":3,"ep');
    writeFileSync(join(folder.checkpoints, 'step-00000001.safetensors'), '');
    const run = await openStoredRun(folder.path);
    expect(run.status).toMatchObject({ state: 'stopped', step: 2, steps: null, sample: null });
    expect(run.read({ from: 0, to: 99, points: 10 }).curves.lossG.mean).toEqual([1, null]);
    expect(run.info.events.map(({ kind, step, text }) => [kind, step, text])).toEqual([
      ['checkpoint', 1, 'checkpoint of step 1'],
      ['skipped', 2, 'update skipped: generator: x is NaN'],
    ]);
  });

  it('knows what the run was computed on last, where its events say so', async () => {
    const { folder } = storedRun();
    const event = (environment: unknown) => JSON.stringify({ time: 5, step: 1, kind: 'resume', text: '', environment });
    writeFileSync(
      folder.events,
      `${event({ node: 'v1' })}\n${event({ node: 'v2', logicalCores: 2 })}\n${event({ node: [] })}\n`,
    );
    const run = await openStoredRun(folder.path);
    expect(run.info.environment).toEqual({ node: 'v2', logicalCores: 2 });
    expect(run.info.events.map((each) => Object.keys(each))).toEqual(
      Array(3).fill(['seq', 'time', 'step', 'kind', 'text']),
    );
  });

  it('shows a run that has only begun', async () => {
    const { folder } = storedRun({ epochs: null, steps: 9 });
    expect((await openStoredRun(folder.path)).status).toMatchObject({ state: 'stopped', step: 0, steps: 9 });
  });

  it('goes without what is damaged', async () => {
    const { folder, log } = storedRun();
    log({ ...record(1), skipped: [null, { phase: 'generator', bad: ['x is NaN'] }] });
    symlinkSync(join(folder.path, 'nothing'), join(folder.checkpoints, 'step-00000001.safetensors'));
    const { info } = await openStoredRun(folder.path);
    expect(info.events.map(({ text }) => text)).toEqual([
      'update skipped: generator: x is NaN',
      'checkpoint of step 1',
    ]);
    const event = (time: number) => JSON.stringify({ time, step: 1, kind: 'end', text: String(time) });
    writeFileSync(folder.events, `${event(9e15)}\n${event(8e15)}\n`);
    const dated = await openStoredRun(folder.path);
    expect(dated.info.events.map(({ text }) => text)).toEqual(['8000000000000000']);
  });

  it('says which file of a run cannot be read', async () => {
    const { folder } = storedRun();
    rmSync(folder.samples, { recursive: true });
    writeFileSync(folder.samples, '');
    expect(await errorOf(() => openStoredRun(folder.path))).toBe(
      `checkpoint: cannot read ${folder.samples}: not a directory`,
    );
  });

  it('says that a folder is none of a run', async () => {
    const folder = scratchFolder();
    expect(await errorOf(() => openStoredRun(folder))).toBe(
      `usage: ${folder}: expected the folder of a run, got none with a config.json`,
    );
    mkdirSync(join(folder, 'config.json'));
    expect(await errorOf(() => openStoredRun(folder))).toContain('checkpoint: cannot read');
  });
});
