// Copies from a device that goes on meanwhile, in the emulation, whose streams do their work as late as they may.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { cudaRunner } from '../../../../../workers/engines/cuda/cuda-runner.ts';
import { cudaDevice } from '../../../../../workers/engines/cuda/cuda-update.ts';
import { useEmulation } from './emulation.ts';

useEmulation();

it('copies that come beside the work have what was there when they were begun, and stay until the next but one', () => {
  const device = cudaDevice(cudaRunner(0));
  process.env.GANGLION_CUDA_LATE = '1';
  const [one, other] = [device.allocate(3), device.allocate(2)];
  const copies = device.createCopies([one, other]);
  const write = (value: number): void => {
    device.write(one, new Float32Array(3).fill(value));
    device.write(other, new Float32Array(2).fill(-value));
  };
  const valuesOf = (value: number) => [new Float32Array(3).fill(value), new Float32Array(2).fill(-value)];
  write(1);
  copies.begin();
  expect(copies.take(false)).toBeUndefined();
  const first = copies.take(true); // nothing else has been waited for
  expect(first).toEqual(valuesOf(1));
  write(2);
  copies.begin();
  write(3);
  device.read([]); // all but the copies is done
  expect(copies.take(false)).toBeUndefined();
  expect(first).toEqual(valuesOf(1));
  expect(copies.take(true)).toEqual(valuesOf(2));
});

it('what a device has given lives as long as it does', async () => {
  const runner = cudaRunner(0);
  const freed: string[] = [];
  const registry = new FinalizationRegistry<string>((what) => freed.push(what));
  const { binding } = runner;
  const watched: typeof binding = {
    ...binding,
    allocate(gpu, bytes) {
      const memory = binding.allocate(gpu, bytes);
      registry.register(memory, `${bytes} bytes`);
      return memory;
    },
  };
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const device = cudaDevice({ ...runner, binding: watched });
  const copies = device.createCopies([device.allocate(3)]);
  watched.allocate(runner.gpu, 1000); // nobody has it
  while (!freed.includes('1000 bytes')) {
    collect();
    await new Promise(setImmediate);
  }
  expect(freed).toEqual(['1000 bytes']);
  copies.begin();
  expect(copies.take(true)).toEqual([new Float32Array(3)]);
  device.ask();
});
