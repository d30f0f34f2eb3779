import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Placement } from '../../../../coordinator/run/placement.ts';
import { RunEvaluations, type RunEvaluationsOptions } from '../../../../coordinator/run/run-evaluations.ts';
import { StopSwitch } from '../../../../coordinator/run/stop.ts';
import type { LoggedEvaluation } from '../../../../coordinator/run-folder/evaluation-log.ts';
import { mergeSettings } from '../../../../coordinator/settings/settings.ts';
import type { Settings } from '../../../../coordinator/settings/settings-table.ts';
import { parseDevices, showDevices } from '../../../../shared/device.ts';
import { GanglionError } from '../../../../shared/error.ts';
import type { Figures, JudgeJob, RealImages } from '../../../../shared/evaluation.ts';
import { scratchFolder } from '../../scratch.ts';
import { evaluatedEvent } from '../made-up-events.ts';
import { madeUpState } from '../made-up-state.ts';

const none = { images: new Uint8Array(0), indices: new Uint32Array(0) };
const real: RealImages = {
  shape: [28, 28, 1],
  key: 'ab',
  reference: none,
  labels: null,
  others: none,
  training: none,
  isTrainedOn: true,
};

/** Evaluations of a run, judged by a stub that answers when it is told to. */
function made(
  settings: Partial<Settings>,
  { step = 0, totalSteps = 1000, path = join(scratchFolder(), 'e.jsonl'), devices = parseDevices('cpu') } = {},
) {
  const jobs: JudgeJob[] = [];
  const answers: ((distance: number | Error) => void)[] = [];
  const told: LoggedEvaluation[] = [];
  const failures: string[] = [];
  const stop = new StopSwitch();
  const state = madeUpState(step);
  const options: RunEvaluationsOptions = {
    config: mergeSettings(settings),
    devices: new Placement(devices, () => ({ backend: 'cpu' })),
    ...{ path, state, totalSteps, real },
    thread: {
      judge: (job) =>
        new Promise((resolve, reject) => {
          jobs.push(job);
          answers.push((distance) => {
            if (distance instanceof Error) return reject(distance);
            const { step: _, weights: _w, ...figures } = evaluatedEvent(0, distance).evaluation;
            resolve({ ...figures, nearest: null } satisfies Figures);
          });
        }),
      close: async () => answers.at(-1)?.(new Error('closed')),
    },
    stopped: stop.whenRequested,
    onEvaluated: (evaluation) => told.push(evaluation),
    onFailure: (message) => failures.push(message),
  };
  const lines = (): { step: number }[] =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  return { options, stop, state, jobs, answers, told, failures, lines, path };
}

/** Steps that are evaluated from 1 to `last`. */
async function stepsOf(settings: Partial<Settings>, last: number): Promise<number[]> {
  const { options, state, answers, told } = made(settings, { totalSteps: last });
  const evaluations = await RunEvaluations.open(options);
  for (state.step = 1; state.step <= last; state.step++) {
    await evaluations.commit();
    answers.shift()?.(1);
    await evaluations.settle();
  }
  await evaluations.close();
  return told.map(({ step }) => step);
}

describe('RunEvaluations', () => {
  it('come whenever 60,000 more images have been trained on, and at the end', async () => {
    expect(await stepsOf({ batch: 128 }, 1500)).toEqual([469, 938, 1407, 1500]);
    expect(await stepsOf({ batch: 8192, shards: 32 }, 16)).toEqual([8, 15, 16]);
    expect(await stepsOf({ batch: 100 }, 600)).toEqual([600]);
  });

  it('come every N steps and at the end, or never', async () => {
    expect(await stepsOf({ evaluateEvery: 4 }, 10)).toEqual([4, 8, 10]);
    expect(await stepsOf({ evaluateEvery: 'off' }, 10)).toEqual([]);
  });

  it('judge a copy, while the state goes on', async () => {
    const { options, state, jobs, answers, lines, told } = made({ evaluateEvery: 1 });
    const evaluations = await RunEvaluations.open(options);
    state.step = 1;
    const before = state.generator.parameters.slice();
    await evaluations.commit();
    state.generator.parameters.fill(9);
    state.step = 2;
    expect(jobs).toMatchObject([{ count: 2048, seed: 1, nearest: false, yields: true }]);
    expect(jobs[0]?.parameters).toEqual(before);
    expect(jobs[0]?.parameters.buffer).toBeInstanceOf(SharedArrayBuffer);
    const second = evaluations.commit(); // waits for the first
    expect(evaluations.distances).toBeNull();
    answers[0]?.(5);
    await second;
    expect(lines().map(({ step }) => step)).toEqual([1]);
    expect(jobs[1]?.parameters.every((value) => value === 9)).toBe(true);
    answers[1]?.(7);
    await evaluations.sync();
    expect([...(evaluations.distances ?? [])]).toEqual([
      [1, 5],
      [2, 7],
    ]);
    expect(told.map(({ frechetDistance }) => frechetDistance)).toEqual([5, 7]);
    expect(evaluations.summarise(null)).toEqual({ frechetDistance: 7, bestFrechetDistance: 5, bestStep: 1 });
    const checkpoints = scratchFolder();
    writeFileSync(join(checkpoints, 'step-00000002.safetensors'), '');
    expect(evaluations.summarise(checkpoints)).toMatchObject({
      bestStep: 1,
      bestCheckpoint: 'step-00000002.safetensors',
    });
    await evaluations.close();
  });

  it('forget what a crash has undone, and do again what it has cut off', async () => {
    const { options, path, lines, answers } = made({ evaluateEvery: 10 }, { step: 20 });
    const line = (step: number) => `${JSON.stringify(evaluatedEvent(step).evaluation)}\n`;
    writeFileSync(path, line(10) + line(30));
    const evaluations = await RunEvaluations.open(options);
    answers[0]?.(3);
    await evaluations.settle();
    expect(lines().map(({ step }) => step)).toEqual([10, 20]);
    expect(evaluations.summarise(null).bestStep).toBe(20);
    await evaluations.close();
    const again = made({ evaluateEvery: 10 }, { step: 20, path });
    await (await RunEvaluations.open(again.options)).close();
    expect(again.jobs).toEqual([]);
  });

  it('hold up no stop: neither its checkpoint waits for one that is under way, nor the step that is due', async () => {
    const { options, stop, state, jobs, answers, lines } = made({ evaluateEvery: 1 });
    const evaluations = await RunEvaluations.open(options);
    state.step = 1;
    await evaluations.commit();
    stop.request('SIGTERM');
    await evaluations.sync();
    expect(lines()).toEqual([]);
    state.step = 2;
    await evaluations.commit(); // left to a resume
    answers[0]?.(5);
    await evaluations.settle();
    expect(lines().map(({ step }) => step)).toEqual([1]);
    expect(jobs).toHaveLength(1);
    await evaluations.close();
  });

  it('end with a line when one fails; the run goes on', async () => {
    const { options, state, jobs, answers, failures } = made({ evaluateEvery: 1 });
    const evaluations = await RunEvaluations.open(options);
    state.step = 1;
    await evaluations.commit();
    answers[0]?.(new GanglionError('environment', 'no memory'));
    await evaluations.settle();
    state.step = 2;
    await evaluations.commit();
    expect(jobs).toHaveLength(1);
    expect(failures).toEqual(['step 1 was not evaluated: no memory; there are no more evaluations']);
    await evaluations.close();
  });

  it('go on elsewhere when a GPU fails, which is not used again', async () => {
    const devices = parseDevices('cpu,cuda:1');
    const { options, state, jobs, answers, failures, lines } = made({ evaluateEvery: 1 }, { devices });
    const evaluations = await RunEvaluations.open(options);
    state.step = 1;
    await evaluations.commit();
    answers[0]?.(new GanglionError('environment', 'launch failed'));
    await expect.poll(() => jobs.length).toBe(2);
    answers[1]?.(5);
    await evaluations.settle();
    state.step = 2;
    await evaluations.commit();
    answers[2]?.(7);
    await evaluations.settle();
    expect(jobs.map((job) => showDevices([job]))).toEqual(['cuda:1', 'cpu', 'cpu']);
    expect(failures).toEqual(['step 1 is evaluated with cpu, as cuda:1 failed: launch failed']);
    expect(lines().map(({ step }) => step)).toEqual([1, 2]);
    await evaluations.close();
  });

  it('are nothing in the summary where there is none', async () => {
    const evaluations = await RunEvaluations.open(made({ evaluateEvery: 1 }).options);
    expect(evaluations.summarise(scratchFolder())).toEqual({});
    await evaluations.close();
  });

  it('say nothing of one that the end of the run cuts off', async () => {
    const { options, state, failures } = made({ evaluateEvery: 1 });
    const evaluations = await RunEvaluations.open(options);
    state.step = 1;
    await evaluations.commit();
    await evaluations.close();
    expect(failures).toEqual([]);
  });
});
