import { expect, it } from 'vitest';
import type { NativeBinding } from '../../../../../workers/engines/tensorflow/binding.ts';
import { tensorflowRunner } from '../../../../../workers/engines/tensorflow/tensorflow-runner.ts';

/** A library that has a GPU or none. */
function library(hasGpu: boolean): NativeBinding {
  const binding: Partial<NativeBinding> = {
    TF_Version: '2.21.0',
    TF_FLOAT: 1,
    createTensor: () => 0,
    deleteTensor: () => {},
    isUsingGpuDevice: () => hasGpu,
  };
  return binding as NativeBinding;
}

it('computes on the GPU where there is one', () => {
  expect(tensorflowRunner(0, library(true)).name).toBe('tensorflow-gpu');
  expect(tensorflowRunner(undefined, library(false)).name).toBe('tensorflow-cpu');
});

it('never takes the CPU in place of a GPU that it was given', () => {
  expect(() => tensorflowRunner(1, library(false))).toThrow(
    /^TensorFlow cannot use tensorflow:1; .*CUDA_VISIBLE_DEVICES/,
  );
});
