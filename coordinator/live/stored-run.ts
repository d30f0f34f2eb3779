// A run as its files tell it, for `ganglion view`: the same page as while it trains, but nothing can be changed.
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { LiveStatus } from '../../shared/live-protocol.ts';
import { listCheckpoints, stepOfCheckpoint } from '../checkpoints/checkpoint.ts';
import { readEvaluations } from '../run-folder/evaluation-log.ts';
import { readEvents } from '../run-folder/events.ts';
import { listSamples } from '../run-folder/pictures.ts';
import { type RunConfig, readStoredConfig } from '../run-folder/run-config.ts';
import { checkIsRun, type RunFolder, runFolderAt } from '../run-folder/run-folder.ts';
import { readLog } from '../run-folder/step-log.ts';
import { readSummary } from '../run-folder/summary.ts';
import { type StoredEvent, Timeline } from '../run-folder/timeline.ts';
import { LiveRun } from './live-run.ts';

/** Newest skipped updates that are told of, where only the log has them. */
const MOST_SKIPS = 500;

/**
 * Reads a run that is not training: later changes are not seen.
 *
 * @throws GanglionError `usage` when there is no run, `checkpoint` when a file of it cannot be read
 */
export async function openStoredRun(path: string): Promise<LiveRun> {
  const folder = runFolderAt(resolve(path));
  checkIsRun(path);
  const config = readStoredConfig(folder.config);
  const summary = readSummary(folder);
  const { steps: pictures } = await listSamples(folder.samples);
  const timeline = new Timeline();
  const log = { step: 0, epoch: 0, stepsPerEpoch: null as number | null };
  let status: ReturnType<typeof statusOf> | undefined;
  const run = new LiveRun({
    path: folder.path,
    samples: folder.samples,
    batch: config.batch,
    config,
    summary,
    actions: null,
    status: () => (status ??= statusOf(config, summary, log, pictures.at(-1) ?? null)),
    timeline,
  });
  await readEvents(folder.events, (event) => {
    timeline.recall(event);
    run.environment = event.environment ?? run.environment;
  });
  await readEvaluations(folder.evaluations, (evaluation) => run.evaluated(evaluation));
  const noted = timeline.seq > 0;
  let skips: StoredEvent[] = [];
  await readLog(folder.metrics, ({ step, epoch, values, skipped }) => {
    run.history.add(step, values);
    if (epoch > log.epoch) log.stepsPerEpoch ??= step - 1;
    log.step = step;
    log.epoch = epoch;
    if (noted || skipped === undefined) return;
    skips.push({ time: 0, step, kind: 'skipped', text: `update skipped: ${skipped}` });
    if (skips.length >= 2 * MOST_SKIPS) skips = skips.slice(-MOST_SKIPS);
  });
  if (!noted) {
    // A run older than events.jsonl: its events come from the other files.
    const told = [...skips, ...checkpointEvents(folder)].toSorted((a, b) => a.step - b.step);
    for (const event of told) timeline.recall(event);
  }
  return run;
}

function checkpointEvents(folder: RunFolder): StoredEvent[] {
  return listCheckpoints(folder.checkpoints).map((path) => {
    const step = stepOfCheckpoint(path);
    const { mtimeMs: time = 0 } = statSync(path, { throwIfNoEntry: false }) ?? {};
    return { time, step, kind: 'checkpoint', text: `checkpoint of step ${step}` };
  });
}

function statusOf(
  config: RunConfig,
  summary: Readonly<Record<string, unknown>> | null,
  { step, epoch, stepsPerEpoch }: { step: number; epoch: number; stepsPerEpoch: number | null },
  sample: number | null,
): Omit<LiveStatus, 'evaluated'> {
  const steps = config.steps ?? (stepsPerEpoch === null ? null : stepsPerEpoch * (config.epochs ?? 0));
  const number = (name: string): number => (typeof summary?.[name] === 'number' ? summary[name] : 0);
  return {
    state: summary !== null && (steps === null || step >= steps) ? 'finished' : 'stopped',
    healthy: true,
    step,
    steps,
    epoch,
    imagesPerSecond: Math.round(number('imagesPerSecond')),
    restarts: number('restarts'),
    ...{ replicas: [], nodes: [] },
    sample,
  };
}
