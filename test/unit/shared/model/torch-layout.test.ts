import { describe, expect, it } from 'vitest';
import { layoutOf, type Net, type Parameter } from '../../../../shared/model/layout.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { fromTorchLayout, toTorchLayout } from '../../../../shared/model/torch-layout.ts';

function parameterOf(net: Net, name: string): Parameter {
  const found = layoutOf(net, dcgan28(100)).parameters.find((parameter) => parameter.name === name);
  if (!found) throw new Error(`no ${name}`);
  return found;
}

/** Index of the first difference, else -1: `toEqual` is slow on this many values. */
function difference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.findIndex((value, i) => value !== b[i]);
}

describe('torch layout', () => {
  it.each([
    {
      // PyTorch [z 100, out 128, h 4, w 4]: ((9*128 + 100)*4 + 3)*4 + 1 = 20045.
      // TensorFlow [z 100, (h 4, w 4, out 128)]: 9*2048 + (3*4 + 1)*128 + 100 = 20196.
      kind: 'the first layer of G: z 9, out 100, h 3, w 1',
      parameter: parameterOf('generator', 'main.0.weight'),
      torch: 20045,
      tensorflow: 20196,
    },
    {
      // PyTorch [in 128, out 64, h, w]: ((5*64 + 7)*4 + 2)*4 + 3 = 5243.
      // TensorFlow [h, w, out 64, in 128]: ((2*4 + 3)*64 + 7)*128 + 5 = 91013.
      kind: 'a transposed convolution: in 5, out 7, h 2, w 3',
      parameter: parameterOf('generator', 'main.3.weight'),
      torch: 5243,
      tensorflow: 91013,
    },
    {
      // PyTorch [out 32, in 16, h, w]: ((3*16 + 2)*4 + 1)*4 + 0 = 804.
      // TensorFlow [h, w, in 16, out 32]: ((1*4 + 0)*16 + 2)*32 + 3 = 2115.
      kind: 'a convolution: out 3, in 2, h 1, w 0',
      parameter: parameterOf('discriminator', 'main.2.weight'),
      torch: 804,
      tensorflow: 2115,
    },
    {
      // PyTorch [out 1, in 64, h, w]: (10*4 + 2)*4 + 1 = 169. TensorFlow [(h, w, in 64), 1]: (2*4 + 1)*64 + 10 = 586.
      kind: 'the last layer of D: in 10, h 2, w 1',
      parameter: parameterOf('discriminator', 'main.8.weight'),
      torch: 169,
      tensorflow: 586,
    },
    { kind: 'a vector', parameter: parameterOf('generator', 'main.4.bias'), torch: 41, tensorflow: 41 },
  ])('$kind', ({ parameter, torch, tensorflow }) => {
    const inTorch = new Float32Array(parameter.size);
    inTorch[torch] = 5;
    const inTensorflow = new Float32Array(parameter.size);
    inTensorflow[tensorflow] = 5;

    const out = new Float32Array(parameter.size);
    fromTorchLayout(parameter, inTorch, out);
    expect(out.indexOf(5)).toBe(tensorflow);
    expect(difference(out, inTensorflow)).toBe(-1);
    const back = toTorchLayout(parameter, inTensorflow);
    expect(back.indexOf(5)).toBe(torch);
    expect(difference(back, inTorch)).toBe(-1);
  });

  it.each(['generator', 'discriminator'] as const)('%s: there and back is the identity for every tensor', (net) => {
    for (const parameter of layoutOf(net, dcgan28(3)).parameters) {
      const values = Float32Array.from({ length: parameter.size }, (_, i) => i + 1);
      const out = new Float32Array(parameter.size);
      fromTorchLayout(parameter, values, out);
      expect(difference(toTorchLayout(parameter, out), values), parameter.name).toBe(-1);
    }
  });

  it('refuses a parameter whose shapes disagree', () => {
    const parameter = { ...parameterOf('discriminator', 'main.0.weight'), size: 255 };
    expect(() => toTorchLayout(parameter, new Float32Array(255))).toThrow('expected 255 elements, got 256');
  });
});
