import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toDataset } from '../../../../coordinator/data/dataset.ts';
import { LiveTraining } from '../../../../coordinator/live/live-training.ts';
import { StatusKeeper } from '../../../../coordinator/monitoring/status.ts';
import { EventLog } from '../../../../coordinator/run-folder/events.ts';
import { toRunConfig } from '../../../../coordinator/run-folder/run-config.ts';
import type { RunEvent } from '../../../../coordinator/run-folder/run-event.ts';
import { createRunFolder } from '../../../../coordinator/run-folder/run-folder.ts';
import { mergeSettings } from '../../../../coordinator/settings/settings.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { scratchFolder } from '../../scratch.ts';
import { endedEvent, startedEvent, stepEvent } from '../made-up-events.ts';

/** A run that is observed as a run is, by the sinks that the live page needs. */
function trained(path = join(scratchFolder(), 'run')) {
  const dataset = toDataset('two digits', new Uint8Array(2 * 784), Uint8Array.of(3, 4), [28, 28, 1]);
  const config = toRunConfig(mergeSettings({ batch: 16, steps: 9, apiToken: 's3cret' }), dataset);
  const events = new EventLog({ step: 0, onFailure: (message) => expect.fail(message), now: () => 1000 });
  const keeper = new StatusKeeper({
    run: path,
    backend: 'cpu',
    step: 0,
    epoch: 0,
    steps: 9,
    batch: 16,
    table: { nodes: [], replicas: [] },
  });
  const live = new LiveTraining({
    path,
    config,
    actions: null,
    status: () => keeper.status,
    timeline: events.timeline,
  });
  const observe = (event: RunEvent): void => {
    for (const sink of [keeper, live, events]) sink.observe(event);
  };
  return { live, observe, path };
}

describe('LiveTraining', () => {
  it('draws curves of the steps', () => {
    const { live, observe } = trained();
    observe(stepEvent(1));
    const { curves } = live.run.read({ from: 0, to: 9, points: 10 });
    const means = Object.fromEntries(Object.entries(curves).map(([name, { mean }]) => [name, mean[0]]));
    const outputs = { outputReal: 0.75, outputFake: 0.25, gradientNormD: 5, gradientNormG: 1.25 };
    expect(means).toEqual({ lossD: 1.5, lossG: 0.25, ...outputs, imagesPerSecond: 200 });
  });

  it('shows what is noted, and what the run is computed on', () => {
    const { live, observe } = trained();
    observe(startedEvent());
    expect(live.run.info).toMatchObject({ environment: { node: 'v1' } });
    expect(live.run.info.events).toMatchObject([{ seq: 1, time: 1000, step: 0, kind: 'start' }]);
  });

  it('goes on with the curves of before, up to the step that is resumed', async () => {
    const { live, path } = trained();
    const folder = createRunFolder(path);
    for (const step of [1, 2, 3]) appendFileSync(folder.metrics, `{"step":${step},"epoch":0,"lossG":${step}}\n`);
    await live.open(folder, 2);
    expect(live.run.history.last).toBe(2);
  });

  it('tells a stop from an end, and keeps secrets', () => {
    const { live, observe } = trained();
    observe({ kind: 'training' });
    expect(live.run.status.state).toBe('training');
    observe(stepEvent(3));
    observe(endedEvent(3));
    expect(live.run.status).toMatchObject({ state: 'stopped', step: 3, steps: 9 });
    observe(stepEvent(9));
    expect(live.run.status.state).toBe('finished');
    expect(JSON.stringify(live.run.info)).not.toContain('s3cret');
  });

  it('is over when the run fails', () => {
    const { live, observe } = trained();
    observe({ kind: 'training' });
    observe({ kind: 'failed', error: new GanglionError('faults', 'too many restarts') });
    expect(live.run.status.state).toBe('stopped');
    expect(live.run.info.events).toMatchObject([{ kind: 'end', text: 'ended: too many restarts' }]);
  });

  it('tells of the newest picture', () => {
    const { live, observe } = trained();
    expect(live.run.status.sample).toBeNull();
    observe({ kind: 'sampled', step: 78, png: new Uint8Array() });
    expect(live.run.status.sample).toBe(78);
  });
});
