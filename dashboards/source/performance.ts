// Where the time goes: steps, phases and their parts, checkpoints, memory, and what watching costs.
import { dashboard, heatmap, increase, mean, of, rate, series } from './parts.ts';

const quantile = (q: number): string =>
  `histogram_quantile(${q}, sum by (instance, le) (${rate('ganglion_step_duration_seconds_bucket')}))`;

export const performance = dashboard({
  uid: 'ganglion-performance',
  title: 'Ganglion: performance',
  description: 'Where the time goes.',
  rows: {
    Speed: [
      series({
        title: 'Images a second',
        description: 'Real images trained on.',
        min: 0,
        queries: { images: rate('ganglion_images_total') },
      }),
      series({
        title: 'Step',
        description: 'Time from the end of a step to that of the next.',
        unit: 's',
        min: 0,
        queries: { mean: mean('ganglion_step_duration_seconds'), median: quantile(0.5), '95 %': quantile(0.95) },
      }),
      heatmap({
        title: 'Steps by time',
        description: 'How many steps took how long.',
        queries: { '{{le}}': `sum by (le) (${increase('ganglion_step_duration_seconds_bucket')})` },
      }),
      series({
        title: 'Gradients handed over',
        description: 'Bytes that replicas gave the coordinator, by phase.',
        unit: 'Bps',
        min: 0,
        stacked: true,
        queries: { '{{phase}}': rate('ganglion_gradient_bytes_total') },
      }),
    ],
    Phases: [
      series({
        title: 'Phase',
        description: 'Mean time of a phase, and of what the coordinator does in it: the exact sum, and Adam.',
        unit: 's',
        min: 0,
        queries: {
          '{{phase}}: {{part}}': mean('ganglion_phase_duration_seconds', ['phase', 'part'], 'part=~"total|sum|adam"'),
        },
      }),
      series({
        title: 'Shard',
        description: 'Mean time of the parts of a shard in its replica, once a pass.',
        unit: 's',
        min: 0,
        queries: {
          '{{phase}}: {{part}}': mean(
            'ganglion_phase_duration_seconds',
            ['phase', 'part'],
            'part=~"prepare|compute|copy"',
          ),
        },
      }),
    ],
    Checkpoints: [
      series({
        title: 'Checkpoint',
        description: 'Mean time to write one, and by which it held the step loop.',
        unit: 's',
        min: 0,
        queries: {
          written: mean('ganglion_checkpoint_duration_seconds'),
          held: mean('ganglion_checkpoint_blocking_seconds'),
        },
      }),
      series({
        title: 'Size of a checkpoint',
        description: 'Of the newest one.',
        unit: 'bytes',
        min: 0,
        queries: { size: of('ganglion_checkpoint_size_bytes') },
      }),
    ],
    Machine: [
      series({
        title: 'Cores',
        description:
          "Of the coordinator's process, with its threads; replicas in processes of their own are not in it.",
        min: 0,
        queries: { cores: rate('process_cpu_seconds_total') },
      }),
      series({
        title: 'Memory',
        description: "Of the coordinator's process. One that rises for hours is a leak.",
        unit: 'bytes',
        min: 0,
        queries: {
          resident: of('process_resident_memory_bytes'),
          'outside the heap': of('ganglion_native_memory_bytes'),
          heap: of('nodejs_heap_size_used_bytes'),
        },
      }),
      series({
        title: 'Tensors alive',
        description: 'In the replica that answered last. Rising: a tensor is left behind.',
        min: 0,
        queries: { tensors: of('ganglion_native_tensors') },
      }),
      series({
        title: 'Event loop',
        description: 'How late the coordinator comes to what is due.',
        unit: 's',
        min: 0,
        queries: {
          median: of('nodejs_eventloop_lag_p50_seconds'),
          '99 %': of('nodejs_eventloop_lag_p99_seconds'),
        },
      }),
      series({
        title: 'Cost of a scrape',
        description: 'Time that it holds the coordinator, and that Prometheus waits.',
        unit: 's',
        min: 0,
        queries: {
          coordinator: mean('ganglion_scrape_duration_seconds'),
          Prometheus: of('scrape_duration_seconds'),
        },
      }),
    ],
  },
});
