// What a GPU is doing, as its driver says; for metrics.

export interface GpuFigures {
  /** Its number, as `--devices` counts. */
  readonly gpu: number;
  /** Share of the time in which a kernel ran, 0 to 1. */
  readonly utilization?: number;
  /** Memory in use by all processes, and in all. */
  readonly usedBytes?: number;
  readonly totalBytes?: number;
  readonly celsius?: number;
  readonly watts?: number;
}
