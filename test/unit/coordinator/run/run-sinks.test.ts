import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { toDataset } from '../../../../coordinator/data/dataset.ts';
import { encodePng } from '../../../../coordinator/images/png.ts';
import { createTerminal } from '../../../../coordinator/monitoring/terminal.ts';
import { RunSinks } from '../../../../coordinator/run/run-sinks.ts';
import { writeRealGrid } from '../../../../coordinator/run/samples.ts';
import { toRunConfig } from '../../../../coordinator/run-folder/run-config.ts';
import { createRunFolder } from '../../../../coordinator/run-folder/run-folder.ts';
import { mergeSettings } from '../../../../coordinator/settings/settings.ts';
import type { Settings } from '../../../../coordinator/settings/settings-table.ts';
import { SINGLE_NODE } from '../../../../coordinator/training/communicator.ts';
import { scratchFolder } from '../../scratch.ts';
import { endedEvent, startedEvent, stepEvent, stragglerEvent } from '../made-up-events.ts';

const dataset = toDataset('two digits', new Uint8Array(2 * 784), Uint8Array.of(3, 4), [28, 28, 1]);
const PNG = Buffer.from(encodePng({ width: 3, height: 2, pixels: new Uint8Array(6) }));

function observed(settings: Partial<Settings> = {}, isShown = true) {
  const said: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  onTestFinished(() => write.mockRestore());
  const folder = createRunFolder(join(scratchFolder(), 'run'));
  const config = {
    ...toRunConfig(mergeSettings({ steps: 9, batch: 16 }, settings), dataset),
    chosenBackend: 'cpu' as const,
  };
  writeRealGrid(join(folder.samples, 'real.png'), 1, dataset);
  const run = {
    config,
    path: folder.path,
    workers: 1,
    firstStep: 0,
    totalSteps: 9,
    stepsPerEpoch: 5,
    tokenNeeded: false,
  };
  const terminal = isShown ? createTerminal(process.stdout, { batch: 16, totalSteps: 9 }) : undefined;
  const notices: string[] = [];
  const onNotice = (text: string) => void notices.push(text);
  const nodes = { communicator: SINGLE_NODE, all: [0] };
  const sinks = new RunSinks({
    ...run,
    profile: null,
    replicas: () => [],
    gpus: () => [],
    backend: () => 'cpu',
    metricsPort: () => null,
    terminal,
    onNotice,
    nodes,
  });
  onTestFinished(() => sinks.close());
  const eventFiles = () => readdirSync(folder.path).filter((name) => name.startsWith('events.out.'));
  return { sinks, folder, said, notices, eventFiles };
}

describe('RunSinks', () => {
  it('give an event to all of them: a step, and a picture', async () => {
    const { sinks, folder, said, eventFiles } = observed();
    await sinks.open(folder);
    expect(eventFiles()).toEqual([]); // nothing has begun
    sinks.emit(startedEvent());
    const [file = ''] = eventFiles();
    const { size } = statSync(join(folder.path, file));
    sinks.emit(stepEvent(9));
    sinks.emit({ kind: 'sampled', step: 9, png: PNG });
    expect(sinks.status.status).toMatchObject({ step: 9 });
    expect(sinks.live.run.history.last).toBe(9);
    expect(sinks.live.run.status.sample).toBe(9);
    expect(await sinks.metrics.text()).toMatch(/^ganglion_step 9$/m);
    expect(said.join('')).toContain('step 9/9');
    sinks.emit({ kind: 'flush' });
    expect(statSync(join(folder.path, file)).size).toBeGreaterThan(size);
    expect(readFileSync(join(folder.path, file)).includes(PNG)).toBe(true);
  });

  it('bring every log to the disk', async () => {
    const { sinks, folder, eventFiles } = observed();
    await sinks.open(folder);
    sinks.emit(startedEvent());
    const [file = ''] = eventFiles();
    const { size } = statSync(join(folder.path, file));
    sinks.emit(stepEvent(7));
    await sinks.sync();
    expect(statSync(join(folder.path, file)).size).toBeGreaterThan(size);
    sinks.close();
    await sinks.sync(); // nothing is open
  });

  it("go on when TensorBoard's log cannot be made, and say so", async () => {
    const { sinks, folder, said } = observed();
    await sinks.open(folder);
    rmSync(folder.path, { recursive: true });
    sinks.emit(startedEvent());
    sinks.emit(stepEvent(1));
    sinks.emit({ kind: 'flush' });
    expect(said.filter((line) => line.endsWith('; nothing more is written for TensorBoard\n'))).toHaveLength(1);
    expect(sinks.status.status.step).toBe(1);
    expect(existsSync(folder.path)).toBe(false);
  });

  it('leave TensorBoard out when they are told to', async () => {
    const { sinks, folder, eventFiles } = observed({ tensorboard: 'off' });
    await sinks.open(folder);
    sinks.emit(startedEvent());
    sinks.emit(stepEvent(1));
    sinks.emit({ kind: 'flush' });
    expect(eventFiles()).toEqual([]);
  });

  it('count stragglers in a row: one line in the terminal and the timeline, all of them in the metrics', async () => {
    const { sinks, folder, said } = observed({ tensorboard: 'off' });
    await sinks.open(folder);
    for (let i = 0; i < 50; i++) sinks.emit(stragglerEvent(i % 2));
    sinks.emit(endedEvent(3));
    const expected = [
      'replica 0 is a straggler: step 4, generator phase, shard 2 was given to a second replica',
      '49 more shards of stragglers were given to a second replica: replica 1 25, replica 0 24',
    ];
    expect(said.slice(0, -1)).toEqual(expected.map((line) => `${line}\n`));
    const { events } = sinks.live.run.timeline;
    expect(events.slice(0, -1).map(({ text }) => text)).toEqual(expected);
    const lines = readFileSync(folder.events, 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).count)).toEqual([undefined, 49, undefined]);
    expect(await sinks.metrics.text()).toMatch(/^ganglion_stragglers_total 50$/m);
  });

  it('give notices, and nothing else, to who has no terminal', async () => {
    const { sinks, folder, notices } = observed({}, false);
    await sinks.open(folder);
    rmSync(folder.path, { recursive: true });
    sinks.emit(startedEvent());
    sinks.emit(stepEvent(1));
    expect(notices).toEqual([expect.stringMatching(/; nothing more is written for TensorBoard$/)]);
  });

  it('print nothing without a terminal', async () => {
    const { sinks, folder, said } = observed({}, false);
    await sinks.open(folder);
    sinks.emit(startedEvent());
    sinks.emit(stepEvent(9));
    sinks.emit({ kind: 'notice', text: 'here' });
    expect(said).toEqual([]);
  });
});
