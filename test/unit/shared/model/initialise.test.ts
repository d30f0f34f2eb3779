import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { initialise } from '../../../../shared/model/initialise.ts';
import { layoutOf, type Net } from '../../../../shared/model/layout.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { toTorchLayout } from '../../../../shared/model/torch-layout.ts';
import { fillNormal, fillUniform } from '../../../../shared/random.ts';
import { GOLDEN } from '../../../golden/golden.ts';

function initial(net: Net, latent: number, seed: number): Map<string, Float32Array> {
  const { parameters, parameterCount } = layoutOf(net, dcgan28(latent));
  const values = new Float32Array(parameterCount).fill(Number.NaN);
  initialise(net, dcgan28(latent), seed, values);
  return new Map(parameters.map(({ name, offset, size }) => [name, values.subarray(offset, offset + size)]));
}

const distribution = (values: Float32Array) => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
};

describe('initialise', () => {
  it.each(['generator', 'discriminator'] as const)("%s: has the bits that numpy draws in PyTorch's order", (net) => {
    const hash = createHash('sha256');
    const tensors = initial(net, GOLDEN.latent, GOLDEN.seed);
    for (const parameter of layoutOf(net, dcgan28(GOLDEN.latent)).parameters) {
      hash.update(toTorchLayout(parameter, tensors.get(parameter.name) ?? new Float32Array()));
    }
    expect(hash.digest('hex')).toBe(GOLDEN.sha256[`initial.${net}`]);
  });

  it('draws N(0, .02), N(1, .02), 0 and U(-1/sqrt(fan in), 1/sqrt(fan in))', () => {
    // Sample mean and deviation of n values are off by .02 / sqrt(n) and .02 / sqrt(2n); four of each are allowed.
    const generator = initial('generator', 4, 1);
    const weight = generator.get('main.3.weight') ?? new Float32Array();
    expect(weight.length).toBe(131_072);
    expect(Math.abs(distribution(weight).mean)).toBeLessThan((4 * 0.02) / Math.sqrt(131_072));
    expect(Math.abs(distribution(weight).deviation - 0.02)).toBeLessThan((4 * 0.02) / Math.sqrt(2 * 131_072));
    const gamma = distribution(generator.get('main.1.weight') ?? new Float32Array());
    expect(Math.abs(gamma.mean - 1)).toBeLessThan((4 * 0.02) / Math.sqrt(128));
    expect(Math.abs(gamma.deviation - 0.02)).toBeLessThan((4 * 0.02) / Math.sqrt(256));
    expect([...new Set(generator.get('main.1.bias'))]).toEqual([0]);

    const bias = initial('discriminator', 4, 1).get('main.2.bias') ?? new Float32Array();
    expect(Math.max(...bias.map(Math.abs))).toBeLessThanOrEqual(1 / 16); // fan in 16 * 4 * 4 = 256
    expect(Math.max(...bias)).toBeGreaterThan(0.8 / 16); // 32 values: missed with probability .9^32 = 3%, fixed by the seed
    expect(Math.min(...bias)).toBeLessThan(-0.8 / 16);
  });

  it.each([
    ['generator', 7, 0],
    ['discriminator', 7, 64],
    ['generator', 7 + 2 ** 32, 0],
  ] as const)('draws tensor i of the %s (seed %i) from stream %i + i', (net, seed, first) => {
    const tensors = initial(net, 4, seed);
    for (const [index, { name, initial: kind }] of layoutOf(net, dcgan28(4)).parameters.entries()) {
      const address = { seed, stream: 'initialisation', time: 0, part: first + index } as const;
      const [normal = Number.NaN] = fillNormal(address, new Float32Array(1));
      const uniform = ({ bound }: { bound: number }) => fillUniform(address, -bound, bound, new Float32Array(1))[0];
      const expected =
        kind.kind === 'normal' ? Math.fround(kind.mean + 0.02 * normal) : kind.kind === 'uniform' ? uniform(kind) : 0;
      expect(tensors.get(name)?.[0], name).toBe(expected);
    }
  });

  it('is a pure function of net, latent and seed', () => {
    expect(initial('discriminator', 4, 5)).toEqual(initial('discriminator', 4, 5));
    // D does not know the latent length.
    expect(initial('discriminator', 4, 5)).toEqual(initial('discriminator', 9, 5));
  });
});
