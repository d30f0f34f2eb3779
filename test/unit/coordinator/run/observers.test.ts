import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { toDataset } from '../../../../coordinator/data/dataset.ts';
import { encodePng } from '../../../../coordinator/images/png.ts';
import { Observers } from '../../../../coordinator/run/observers.ts';
import { writeRealGrid } from '../../../../coordinator/run/samples.ts';
import { toRunConfig } from '../../../../coordinator/run-folder/run-config.ts';
import { createRunFolder } from '../../../../coordinator/run-folder/run-folder.ts';
import { mergeSettings } from '../../../../coordinator/settings/settings.ts';
import type { Settings } from '../../../../coordinator/settings/settings-table.ts';
import { scratchFolder } from '../../scratch.ts';
import { madeUpRecord } from '../made-up-record.ts';

const dataset = toDataset('two digits', new Uint8Array(2 * 784), Uint8Array.of(3, 4), [28, 28, 1]);
const PNG = Buffer.from(encodePng({ width: 3, height: 2, pixels: new Uint8Array(6) }));

function observed(settings: Partial<Settings> = {}) {
  const said: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  onTestFinished(() => write.mockRestore());
  const folder = createRunFolder(join(scratchFolder(), 'run'));
  const config = {
    ...toRunConfig(mergeSettings({ steps: 9, batch: 16 }, settings), dataset),
    ranOn: 'native' as const,
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
  const observers = new Observers({ ...run, profile: null, replicas: () => [] });
  onTestFinished(() => observers.close());
  const eventFiles = () => readdirSync(folder.path).filter((name) => name.startsWith('events.out.'));
  return { observers, folder, said, eventFiles };
}

describe('Observers', () => {
  it('tells all of them of a step and of a picture', async () => {
    const { observers, folder, said, eventFiles } = observed();
    await observers.open(folder);
    expect(eventFiles()).toEqual([]); // nothing has begun
    observers.started(folder, false, 'training', { node: 'v1' });
    const [file = ''] = eventFiles();
    const { size } = statSync(join(folder.path, file));
    observers.committed(madeUpRecord(9), performance.now());
    observers.sampled(9, PNG);
    expect(observers.status.status).toMatchObject({ step: 9 });
    expect(observers.live.run.history.last).toBe(9);
    expect(observers.live.run.status.sample).toBe(9);
    expect(await observers.metrics.text()).toMatch(/^ganglion_step 9$/m);
    expect(said.join('')).toContain('step 9/9');
    observers.flush();
    expect(statSync(join(folder.path, file)).size).toBeGreaterThan(size);
    expect(readFileSync(join(folder.path, file)).includes(PNG)).toBe(true);
  });

  it("goes on when TensorBoard's log cannot be made, and says so", async () => {
    const { observers, folder, said } = observed();
    await observers.open(folder);
    rmSync(folder.path, { recursive: true });
    observers.started(folder, false, 'training', {});
    observers.committed(madeUpRecord(1), performance.now());
    observers.flush();
    expect(said.filter((line) => line.endsWith('; nothing more is written for TensorBoard\n'))).toHaveLength(1);
    expect(observers.status.status.step).toBe(1);
    expect(existsSync(folder.path)).toBe(false);
  });

  it('leaves TensorBoard out when it is told to', async () => {
    const { observers, folder, eventFiles } = observed({ tensorboard: 'off' });
    await observers.open(folder);
    observers.started(folder, false, 'training', {});
    observers.committed(madeUpRecord(1), performance.now());
    observers.flush();
    expect(eventFiles()).toEqual([]);
  });
});
