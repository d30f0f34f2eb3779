// Another model than dcgan28: 32 x 32 pixels of three colours, the DCGAN of pytorch/examples with one layer less, without biases.
import type { ModelSpec } from '../../shared/model/spec.ts';

/** @param width channels of the layers at the images, half of those of the next */
export function rgb32(latentSize: number, width: number): ModelSpec {
  const relu = { kind: 'relu' } as const;
  const leaky = { kind: 'leakyRelu', slope: 0.1 } as const;
  const layer = { kernel: 4, stride: 2, padding: 1, bias: false, norm: true } as const;
  const up = { ...layer, kind: 'transposedConvolution', activation: relu } as const;
  const down = { ...layer, kind: 'convolution', activation: leaky } as const;
  return {
    latentSize,
    epsilon: 1e-3,
    generator: [
      { ...up, inputs: latentSize, outputs: 4 * width, stride: 1, padding: 0 },
      { ...up, inputs: 4 * width, outputs: 2 * width },
      { ...up, inputs: 2 * width, outputs: width },
      { ...up, inputs: width, outputs: 3, norm: false, activation: { kind: 'tanh' } },
    ],
    discriminator: [
      { ...down, inputs: 3, outputs: width, norm: false },
      { ...down, inputs: width, outputs: 2 * width },
      { ...down, inputs: 2 * width, outputs: 4 * width },
      { ...down, inputs: 4 * width, outputs: 1, stride: 1, padding: 0, norm: false, activation: { kind: 'none' } },
    ],
  };
}
