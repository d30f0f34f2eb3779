// Metrics of the GPUs that a run computes on, read at every scrape; none where there is no GPU, or no NVML. A part of metrics.ts.
import { Gauge, type Registry } from 'prom-client';
import type { GpuFigures } from '../../shared/gpu-figures.ts';

type Figure = Exclude<keyof GpuFigures, 'gpu'>;
const METRICS: readonly (readonly [figure: Figure, name: string, help: string])[] = [
  ['utilization', 'utilization_ratio', 'Share of the time in which the GPU computed, for this process or another.'],
  ['usedBytes', 'memory_used_bytes', 'Memory of the GPU in use, by all processes.'],
  ['totalBytes', 'memory_total_bytes', 'Memory of the GPU.'],
  ['celsius', 'temperature_celsius', 'Temperature of the GPU.'],
  ['watts', 'power_watts', 'Power that the GPU takes.'],
];

export function addGpuMetrics(registry: Registry, gpus: () => readonly GpuFigures[]): void {
  const gauges: { readonly figure: Figure; readonly gauge: Gauge<'gpu'> }[] = [];
  /** The first gauge asks for all of them. */
  const collect = (): void => {
    const read = gpus();
    for (const { figure, gauge } of gauges) {
      gauge.reset();
      for (const { gpu, [figure]: value } of read) if (value !== undefined) gauge.set({ gpu }, value);
    }
  };
  for (const [figure, name, help] of METRICS) {
    const asks = gauges.length === 0 ? { collect } : {};
    const options = { name: `ganglion_gpu_${name}`, help, labelNames: ['gpu'] as const, registers: [registry] };
    gauges.push({ figure, gauge: new Gauge({ ...options, ...asks }) });
  }
}
