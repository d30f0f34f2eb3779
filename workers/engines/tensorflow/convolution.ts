// The doctor's proof that the library computes: a convolution with a known result, then a larger one against the clock.
// Suffixes: B batch, H height, W width, C channels, K kernel height and width, O output channels.

import { sizeOf } from '../../../shared/model/shape.ts';
import type { NativeBinding, OpAttribute } from './binding.ts';

/** Outcome of {@link measureConvolution}. */
export interface ConvolutionReport {
  /** Whether the small convolution gave exactly the known values. */
  readonly ok: boolean;
  /** Best of three runs of the larger convolution, and its speed; one intra-op thread. */
  readonly milliseconds: number;
  readonly gflops: number;
}

/**
 * Runs Conv2D (NHWC, stride 1, SAME padding) on all-ones tensors. With a 3 x 3 kernel over 2 channels an output pixel counts the
 * inputs under the kernel: 9 * 2 inside, 6 * 2 at an edge, 4 * 2 in a corner. Leaves no tensor behind.
 */
export function measureConvolution(binding: NativeBinding): ConvolutionReport {
  const small = convolveOnes(binding, [1, 4, 4, 2], [3, 3, 2, 1]);
  const expected = [8, 12, 12, 8, 12, 18, 18, 12, 12, 18, 18, 12, 8, 12, 12, 8];
  const ok = small.values.length === expected.length && expected.every((value, index) => small.values[index] === value);

  const images_BHWC = [32, 28, 28, 64] as const;
  const kernel_KKCO = [5, 5, 64, 64] as const;
  const flops = 2 * sizeOf(images_BHWC) * 5 * 5 * 64;
  const runs = Array.from({ length: 4 }, () => convolveOnes(binding, images_BHWC, kernel_KKCO).milliseconds);
  const milliseconds = Math.min(...runs.slice(1)); // the first run allocates
  return { ok, milliseconds, gflops: flops / milliseconds / 1e6 };
}

function convolveOnes(binding: NativeBinding, images_BHWC: readonly number[], kernel_KKCO: readonly number[]) {
  const attributes: OpAttribute[] = [
    { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
    { name: 'strides', type: binding.TF_ATTR_INT, value: [1, 1, 1, 1] },
    { name: 'dilations', type: binding.TF_ATTR_INT, value: [1, 1, 1, 1] },
    { name: 'padding', type: binding.TF_ATTR_STRING, value: 'SAME' },
    { name: 'data_format', type: binding.TF_ATTR_STRING, value: 'NHWC' },
  ];
  const inputs = [images_BHWC, kernel_KKCO].map((shape) =>
    binding.createTensor(shape, binding.TF_FLOAT, new Float32Array(sizeOf(shape)).fill(1)),
  );
  const startMs = performance.now();
  const outputs = binding.executeOp('Conv2D', attributes, inputs, 1).map(({ id }) => id);
  const values = outputs.flatMap((id) => [binding.tensorDataSync(id)])[0] ?? new Float32Array(); // waits for a GPU
  const milliseconds = performance.now() - startMs;
  for (const id of [...inputs, ...outputs]) binding.deleteTensor(id);
  return { values, milliseconds };
}
