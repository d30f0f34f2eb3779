import { describe, expect, it } from 'vitest';
import { layoutOf, type Net } from '../../../../shared/model/layout.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';

const NETS: readonly Net[] = ['generator', 'discriminator'];
const namesOf = (net: Net) => layoutOf(net, dcgan28(100)).parameters.map(({ name }) => name);

describe('layoutOf', () => {
  it("has PyTorch's names and shapes (pytorch/examples/dcgan, as in test/golden/model.py)", () => {
    const shapes = (net: Net) =>
      layoutOf(net, dcgan28(100)).parameters.map(({ name, torchShape }) => `${name} ${torchShape}`);
    expect(shapes('generator')).toEqual([
      'main.0.weight 100,128,4,4',
      'main.1.weight 128',
      'main.1.bias 128',
      'main.3.weight 128,64,4,4',
      'main.4.weight 64',
      'main.4.bias 64',
      'main.6.weight 64,32,4,4',
      'main.7.weight 32',
      'main.7.bias 32',
      'main.9.weight 32,1,4,4',
    ]);
    expect(shapes('discriminator')).toEqual([
      'main.0.weight 16,1,4,4',
      'main.0.bias 16',
      'main.2.weight 32,16,4,4',
      'main.2.bias 32',
      'main.3.weight 32',
      'main.3.bias 32',
      'main.5.weight 64,32,4,4',
      'main.5.bias 64',
      'main.6.weight 64',
      'main.6.bias 64',
      'main.8.weight 1,64,4,4',
      'main.8.bias 1',
    ]);
  });

  it('counts the parameters', () => {
    // G: 100*128*16 + 2*128 + 128*64*16 + 2*64 + 64*32*16 + 2*32 + 32*16 = 369,600
    expect(layoutOf('generator', dcgan28(100)).parameterCount).toBe(369_600);
    // D: 16*16 + 16 + 32*16*16 + 3*32 + 64*32*16 + 3*64 + 64*16 + 1 = 42,545
    expect(layoutOf('discriminator', dcgan28(100)).parameterCount).toBe(42_545);
    // Every element of z has 128*16 = 2048 weights of its own, and D has none.
    expect(layoutOf('generator', dcgan28(1)).parameterCount).toBe(369_600 - 99 * 2048);
    expect(layoutOf('discriminator', dcgan28(1)).parameterCount).toBe(42_545);
  });

  it.each(NETS)('%s: tensors lie one after another, without gaps', (net) => {
    const { parameters, parameterCount } = layoutOf(net, dcgan28(100));
    let offset = 0;
    for (const parameter of parameters) {
      expect(parameter).toMatchObject({ net, offset });
      expect(parameter.shape.reduce((a, b) => a * b)).toBe(parameter.size);
      expect(parameter.torchShape.reduce((a, b) => a * b)).toBe(parameter.size);
      offset += parameter.size;
    }
    expect(offset).toBe(parameterCount);
  });

  it.each([1, 3, 100, 4096])(
    'every tensor begins on a 64-byte boundary, so that TensorFlow borrows it (latent %i)',
    (latent) => {
      for (const net of NETS) {
        for (const { name, offset } of layoutOf(net, dcgan28(latent)).parameters)
          expect(offset % 16, `${net} ${name}`).toBe(0);
      }
    },
  );

  it('does not train exactly the two biases that a BatchNorm cancels', () => {
    const untrained = NETS.flatMap((net) =>
      layoutOf(net, dcgan28(100))
        .parameters.filter(({ trained }) => !trained)
        .map(({ name }) => `${net} ${name}`),
    );
    expect(untrained).toEqual(['discriminator main.2.bias', 'discriminator main.5.bias']);
  });

  it('draws weights N(0, .02), gammas N(1, .02), betas 0, biases of D U(-1/sqrt(fan in), 1/sqrt(fan in))', () => {
    const initial = (net: Net, name: string) =>
      layoutOf(net, dcgan28(100)).parameters.find((parameter) => parameter.name === name)?.initial;
    const weight = { kind: 'normal', mean: 0, deviation: 0.02 };
    const gamma = { kind: 'normal', mean: 1, deviation: 0.02 };
    const gammas = [
      'generator main.1',
      'generator main.4',
      'generator main.7',
      'discriminator main.3',
      'discriminator main.6',
    ];
    for (const net of NETS) {
      for (const name of namesOf(net)) {
        const isNorm = gammas.includes(`${net} ${name.replace(/\.(weight|bias)$/, '')}`);
        if (name.endsWith('.weight')) expect(initial(net, name), `${net} ${name}`).toEqual(isNorm ? gamma : weight);
        else if (isNorm) expect(initial(net, name), `${net} ${name}`).toEqual({ kind: 'zero' });
      }
    }
    // Fan in = input channels * 4 * 4: 16, 256, 512, 1024.
    expect(initial('discriminator', 'main.0.bias')).toEqual({ kind: 'uniform', bound: 1 / 4 });
    expect(initial('discriminator', 'main.2.bias')).toEqual({ kind: 'uniform', bound: 1 / 16 });
    expect(initial('discriminator', 'main.5.bias')).toEqual({ kind: 'uniform', bound: 1 / Math.sqrt(512) });
    expect(initial('discriminator', 'main.8.bias')).toEqual({ kind: 'uniform', bound: 1 / 32 });
  });

  it('lays out the running statistics: mean, then variance, layer by layer', () => {
    const generator = layoutOf('generator', dcgan28(100));
    expect(generator.norms.map(({ name, channels, offset }) => [name, channels, offset])).toEqual([
      ['main.1', 128, 0],
      ['main.4', 64, 256],
      ['main.7', 32, 384],
    ]);
    expect(generator.statisticsCount).toBe(448);
    const discriminator = layoutOf('discriminator', dcgan28(100));
    expect(discriminator.norms.map(({ name, channels, offset }) => [name, channels, offset])).toEqual([
      ['main.3', 32, 0],
      ['main.6', 64, 64],
    ]);
    expect(discriminator.statisticsCount).toBe(192);
  });
});
