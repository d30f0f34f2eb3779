// Whether a GPU has done what it had to when it was asked, in the emulation in which kernels take time.
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { cudaRunner } from '../../../../../workers/engines/cuda/cuda-runner.ts';
import { cudaDevice } from '../../../../../workers/engines/cuda/cuda-update.ts';
import { useEmulation } from './emulation.ts';

const KERNEL_MS = 20;
useEmulation({ TIMED: String(KERNEL_MS * 1000) });

it('a question is answered though the GPU is given more to do all the time, and not before it has done what it had', async () => {
  const device = cudaDevice(cudaRunner(0));
  const average = device.allocate(4);
  const work = (): void => device.moveAverage(average, average, 0.5, 0.5); // a kernel
  for (let i = 0; i < 10; i++) work();
  const isAnswered = device.ask();
  expect(isAnswered()).toBe(false);
  const from = performance.now();
  do {
    for (let i = 0; i < 3; i++) work(); // takes longer than until the next look
    await setTimeout(KERNEL_MS);
    if (performance.now() - from > 20_000) throw new Error('no answer');
  } while (!isAnswered());
  expect(performance.now() - from).toBeGreaterThan(5 * KERNEL_MS);
});
