import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { addGpuMetrics } from '../../../../coordinator/monitoring/gpu-metrics.ts';
import type { GpuFigures } from '../../../../shared/gpu-figures.ts';

it('asks once a scrape, and has what the driver tells of each GPU, but nothing of one that is gone', async () => {
  const registry = new Registry();
  const answers: GpuFigures[][] = [
    [
      { gpu: 0, utilization: 0.5, celsius: 40 },
      { gpu: 2, watts: 300.5 },
    ],
    [{ gpu: 2 }],
  ];
  addGpuMetrics(registry, () => answers.shift() ?? []);
  const series = async (): Promise<string[]> =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith('ganglion_'));
  expect(await series()).toEqual([
    'ganglion_gpu_utilization_ratio{gpu="0"} 0.5',
    'ganglion_gpu_temperature_celsius{gpu="0"} 40',
    'ganglion_gpu_power_watts{gpu="2"} 300.5',
  ]);
  expect(await series()).toEqual([]);
});
