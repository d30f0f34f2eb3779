import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { WrittenCheckpoint } from '../../../../coordinator/checkpoints/checkpoint-writer.ts';
import { toDataset } from '../../../../coordinator/data/dataset.ts';
import { JsonLines } from '../../../../coordinator/files/json-lines.ts';
import { RunRecords } from '../../../../coordinator/run/run-records.ts';
import { toRunConfig } from '../../../../coordinator/run-folder/run-config.ts';
import { createRunFolder } from '../../../../coordinator/run-folder/run-folder.ts';
import { mergeSettings } from '../../../../coordinator/settings/settings.ts';
import type { Settings } from '../../../../coordinator/settings/settings-table.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';
import { madeUpRecord } from '../made-up-record.ts';
import { madeUpState } from '../made-up-state.ts';

/** Records of a run of 9 steps whose writer notes what it is to save. */
async function recordsWith(settings: Partial<Settings>, evaluated: readonly number[] = []) {
  const folder = createRunFolder(join(scratchFolder(), 'run'));
  const log = await JsonLines.open(folder.metrics);
  onTestFinished(() => log.close());
  const dataset = toDataset('two digits', new Uint8Array(2 * 784), Uint8Array.of(3, 4), [28, 28, 1]);
  const config = toRunConfig(mergeSettings({ steps: 9, samplesEvery: 100 }, settings), dataset);
  const state = madeUpState(0);
  const clock = { ms: 5000 };
  const saved: number[] = [];
  const sampled: number[] = [];
  /** Of every save, how many lines the log had. */
  const logged: number[] = [];
  let newest: WrittenCheckpoint | undefined;
  const failure: { error: unknown } = { error: undefined };
  /** How long a copy takes. */
  const copy = { ms: 0 };
  const linesOfLog = () => readFileSync(folder.metrics, 'utf8').split('\n').length - 1;
  const check = () => {
    if (failure.error !== undefined) throw failure.error;
  };
  const records = new RunRecords({
    config,
    folder,
    log,
    writer: {
      check,
      async save({ step }) {
        check();
        saved.push(step);
        logged.push(linesOfLog());
        clock.ms += copy.ms;
        newest = { step, sha256: `hash of ${step}`, path: 'a', bytes: 1, seconds: 1 };
      },
      async settle() {
        check();
        return newest;
      },
    },
    evaluations: {
      commit: async () => evaluated.includes(state.step),
      get isDue() {
        return evaluated.includes(state.step);
      },
    },
    state,
    totalSteps: 9,
    stepsPerEpoch: 100,
    sample: async () => new Float32Array(64 * 784),
    onSample: (step) => sampled.push(step),
    now: () => clock.ms,
  });
  const commit = async (step: number, ms = clock.ms) => {
    clock.ms = ms;
    state.step = step;
    await records.commit(madeUpRecord(step));
  };
  return { records, folder, state, clock, copy, saved, sampled, logged, failure, linesOfLog, commit };
}

describe('commit', () => {
  it('leaves nothing of a step behind whose state cannot be fetched any more', async () => {
    const made = await recordsWith({ checkpointEvery: 2, samplesEvery: 3 }, [5]);
    made.state.fetch = () => {
      throw new GanglionError('faults', 'the GPU is lost');
    };
    for (const [step, left] of [
      [1, 1],
      [2, 1],
      [3, 1],
      [5, 1],
      [9, 1],
    ] as const) {
      const failed = await made.commit(step).catch(() => 'failed');
      expect([step, failed, made.linesOfLog()]).toEqual([step, step === 1 ? undefined : 'failed', left]);
    }
    expect([made.saved, made.sampled]).toEqual([[], []]);
  });

  it('logs a step, and where an update was skipped, which and why', async () => {
    const { records, state, folder } = await recordsWith({});
    const record = madeUpRecord(1);
    state.step = 1;
    await records.commit(record);
    const shard = { step: 0, pass: 'generator', shard: 2 } as const;
    const bad = [{ shard, replicas: [0, 1], what: 'gradient/x[3] is NaN' }];
    const generator = { ...record.generator, skipped: true, bad, lossFake: Number.NaN };
    await records.commit({ ...record, step: 2, generator });
    const lines = readFileSync(folder.metrics, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({ step: 1, lossDReal: 0.5, lossDFake: 1, lossG: 0.25 });
    expect('skipped' in lines[0]).toBe(false);
    const why = 'step 0, generator phase, shard 2: gradient/x[3] is NaN (replicas 0 and 1 agree)';
    expect(lines[1]).toMatchObject({ step: 2, lossG: null, skipped: [{ phase: 'generator', bad: [why] }] });
  });

  it('saves a checkpoint every so many steps, and after the last', async () => {
    const { saved, logged, commit } = await recordsWith({ checkpointEvery: 4 });
    for (let step = 1; step <= 9; step++) await commit(step);
    expect(saved).toEqual([4, 8, 9]);
    expect(logged).toEqual([4, 8, 9]); // the step is in the log before
  });

  it('saves one of every evaluated step, where the best is to stay', async () => {
    for (const [keepBest, steps] of [
      ['on', [3, 4, 8, 9]],
      ['off', [4, 8, 9]],
    ] as const) {
      const { saved, commit } = await recordsWith({ checkpointEvery: 4, keepBest }, [3, 8]);
      for (let step = 1; step <= 9; step++) await commit(step);
      expect(saved).toEqual(steps);
    }
  });

  it('tells other logs of the step and its samples before it saves the checkpoint', async () => {
    const { records, state, saved, sampled } = await recordsWith({ checkpointEvery: 2, samplesEvery: 2 });
    const told: string[] = [];
    for (const step of [1, 2]) {
      state.step = step;
      await records.commit(madeUpRecord(step), () => told.push(`${step}, drawn ${sampled}, saved ${saved}`));
    }
    expect(told).toEqual(['1, drawn , saved ', '2, drawn 2, saved ']);
    expect(saved).toEqual([2]);
  });

  it('saves one when so much time has gone by since the end of the copy before, and after the last', async () => {
    const { saved, copy, commit } = await recordsWith({ checkpointEvery: '30s' });
    await commit(1, 34_999); // begun at 5,000
    expect(saved).toEqual([]);
    copy.ms = 500;
    await commit(2, 35_000);
    expect(saved).toEqual([2]);
    await commit(3, 65_000); // the copy ended at 35,500
    await commit(4, 65_499);
    expect(saved).toEqual([2]);
    await commit(5, 65_500);
    expect(saved).toEqual([2, 5]);
    await commit(9, 66_001);
    expect(saved).toEqual([2, 5, 9]);
  });

  it('saves one after the step in which it was asked for, once', async () => {
    const { records, saved, commit } = await recordsWith({ checkpointEvery: 4 });
    await commit(1);
    records.checkpointSoon();
    records.checkpointSoon();
    expect(saved).toEqual([]);
    for (let step = 2; step <= 5; step++) await commit(step);
    expect(saved).toEqual([2, 4]);
  });

  it('tells of every picture that is there', async () => {
    const { sampled, folder, commit } = await recordsWith({ samplesEvery: 2 });
    for (let step = 1; step <= 5; step++) await commit(step);
    expect(sampled).toEqual([2, 4]);
    expect(readdirSync(folder.samples)).toEqual(['step-00000002.png', 'step-00000004.png']);
  });

  it('counts time from a checkpoint asked for outside a step, too', async () => {
    const { records, saved, clock, commit } = await recordsWith({ checkpointEvery: '1m' });
    clock.ms = 60_000;
    await records.checkpoint();
    await commit(1, 119_999);
    expect(saved).toEqual([0]);
    await commit(2, 120_000);
    expect(saved).toEqual([0, 2]);
  });

  it('fails by what a checkpoint has failed by, at the next step, which is not logged', async () => {
    const { failure, linesOfLog, commit } = await recordsWith({ checkpointEvery: 4 });
    for (let step = 1; step <= 4; step++) await commit(step);
    failure.error = new GanglionError('environment', 'disk full');
    expect(await errorOf(() => commit(5))).toBe('environment: disk full');
    expect(linesOfLog()).toBe(4);
  });
});

describe('checkpoint', () => {
  it('writes the present state once and gives its hash', async () => {
    const { records, saved, commit } = await recordsWith({ checkpointEvery: 4 });
    expect(await records.checkpoint()).toBe('hash of 0');
    expect(await records.checkpoint()).toBe('hash of 0');
    expect(saved).toEqual([0]);
    await commit(1);
    expect(await records.checkpoint()).toBe('hash of 1');
    expect(saved).toEqual([0, 1]);
  });

  it('writes none after a step that has one', async () => {
    const { records, saved, commit } = await recordsWith({ checkpointEvery: 4 });
    await commit(4);
    expect(await records.checkpoint()).toBe('hash of 4');
    expect(saved).toEqual([4]);
  });

  it('fails by what an earlier one has failed by', async () => {
    const { records, failure } = await recordsWith({});
    failure.error = new GanglionError('environment', 'disk full');
    expect(await errorOf(() => records.checkpoint())).toBe('environment: disk full');
  });
});
