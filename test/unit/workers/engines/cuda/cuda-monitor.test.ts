// What GPUs are doing, by NVIDIA's management library, in the emulation.
import { beforeAll, expect, it } from 'vitest';
import { cudaMonitor } from '../../../../../workers/engines/cuda/cuda-monitor.ts';
import { locateCuda } from '../../../../../workers/engines/cuda/library.ts';
import { installCuda } from '../../../../../workers/setup/install-cuda.ts';

beforeAll(async () => {
  process.env.GANGLION_CUDA = 'emulated';
  const progress = { line() {}, transfer: () => ({ update() {}, stop() {} }) };
  await installCuda(locateCuda(), { progress, signal: new AbortController().signal, again: true });
  return () => {
    delete process.env.GANGLION_CUDA;
  };
}, 240_000);

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
