// A run for tests of the live page, whose steps and status the test sets.
import { LiveRun } from '../../../../coordinator/live/live-run.ts';
import { Timeline } from '../../../../coordinator/run-folder/timeline.ts';
import type { LiveStatus } from '../../../../shared/live-protocol.ts';

export const STATUS: LiveStatus = {
  state: 'training',
  healthy: true,
  step: 0,
  steps: 9,
  epoch: 0,
  imagesPerSecond: 3000,
  restarts: 0,
  replicas: [],
  nodes: [],
  sample: null,
  evaluated: null,
};

export function madeUpRun(samples = '/nowhere') {
  const now: { status: LiveStatus } = { status: STATUS };
  const timeline = new Timeline(undefined, () => 1000);
  const run = new LiveRun({
    path: 'runs/a',
    samples,
    batch: 10,
    config: { seed: 7 },
    actions: { tokenNeeded: false, mostWorkers: 4, mostPages: 0 },
    status: () => now.status,
    timeline,
  });
  /** A step whose loss of D is its number. */
  const step = (at: number): void => {
    run.history.add(at, [at, 0.5, 0.75, 0.25, 1, 2, 3000]);
    now.status = { ...now.status, step: at };
  };
  return { run, timeline, now, step };
}
