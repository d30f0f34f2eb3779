// What GPUs are doing, by NVIDIA's management library, in the emulation.
import { expect, it } from 'vitest';
import { cudaMonitor } from '../../../../../workers/engines/cuda/cuda-monitor.ts';
import { useEmulation } from './emulation.ts';

useEmulation();

it('NVML tells what each GPU is doing, by its place on the bus, and not what it does not know', () => {
  const figures = { utilization: 0.5, usedBytes: 2 ** 30, totalBytes: 2 ** 32 };
  process.env.GANGLION_CUDA_DEVICES = '3';
  try {
    expect(cudaMonitor([2, 0, 7])()).toEqual([
      { gpu: 0, ...figures, celsius: 40 },
      { gpu: 2, ...figures, celsius: 42 },
    ]);
    process.env.GANGLION_CUDA_FAIL = 'nvmlInit:9';
    expect(() => cudaMonitor([0])).toThrow('nvmlInit: error 9');
  } finally {
    delete process.env.GANGLION_CUDA_DEVICES;
    delete process.env.GANGLION_CUDA_FAIL;
  }
});
