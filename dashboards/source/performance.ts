// Where the time goes: steps, phases and their parts, checkpoints, memory, and what monitoring costs.
import { dashboard, heatmap, series } from './panels.ts';
import { increase, mean, of, quantile, rate } from './queries.ts';

export const performance = dashboard({
  uid: 'ganglion-performance',
  title: 'Ganglion: performance',
  description: 'Where the time goes.',
  rows: {
    Speed: [
      series({
        title: 'Throughput',
        description: 'Real images trained on, a second.',
        min: 0,
        queries: { 'images/s': rate('ganglion_images_total') },
      }),
      series({
        title: 'Step',
        description: 'Time from the end of a step to the end of the next.',
        unit: 's',
        min: 0,
        queries: {
          mean: mean('ganglion_step_duration_seconds'),
          median: quantile(0.5, 'ganglion_step_duration_seconds'),
          '95 %': quantile(0.95, 'ganglion_step_duration_seconds'),
        },
      }),
      heatmap({
        title: 'Steps by time',
        description: 'How many steps took how long.',
        queries: { '{{le}}': `sum by (le) (${increase('ganglion_step_duration_seconds_bucket')})` },
      }),
      series({
        title: 'Gradient traffic',
        description: 'Bytes of gradients that the coordinator received from replicas, by phase.',
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
        description: 'Mean time to write one, and mean time for which it blocked the step loop.',
        unit: 's',
        min: 0,
        queries: {
          written: mean('ganglion_checkpoint_duration_seconds'),
          blocked: mean('ganglion_checkpoint_blocking_seconds'),
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
    GPUs: [
      series({
        title: 'Utilization of the GPU',
        description: 'Share of the time in which it computed. Nothing where there is no GPU.',
        unit: 'percentunit',
        min: 0,
        max: 1,
        queries: { 'GPU {{gpu}}': of('ganglion_gpu_utilization_ratio') },
      }),
      series({
        title: 'Memory of the GPU',
        description: 'In use by all processes.',
        unit: 'bytes',
        min: 0,
        queries: {
          'GPU {{gpu}}': of('ganglion_gpu_memory_used_bytes'),
          'GPU {{gpu}}, in all': of('ganglion_gpu_memory_total_bytes'),
        },
      }),
      series({
        title: 'Temperature of the GPU',
        description: 'Near its limit it computes more slowly.',
        unit: 'celsius',
        queries: { 'GPU {{gpu}}': of('ganglion_gpu_temperature_celsius') },
      }),
      series({
        title: 'Power of the GPU',
        description: 'That it takes.',
        unit: 'watt',
        min: 0,
        queries: { 'GPU {{gpu}}': of('ganglion_gpu_power_watts') },
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
        description: "Of the coordinator's process. A rise over hours is a leak.",
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
        description: 'In the replica that answered last. Rising: tensors leak.',
        min: 0,
        queries: { tensors: of('ganglion_native_tensors') },
      }),
      series({
        title: 'Event loop',
        description: 'Lag of the coordinator: how long a timer that is due waits.',
        unit: 's',
        min: 0,
        queries: {
          median: of('nodejs_eventloop_lag_p50_seconds'),
          '99 %': of('nodejs_eventloop_lag_p99_seconds'),
        },
      }),
      series({
        title: 'Cost of a scrape',
        description: 'Time for which it blocks the coordinator, and for which Prometheus waits.',
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
