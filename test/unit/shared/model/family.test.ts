// The DCGAN family: its layers are those of Radford et al. and of PyTorch's tutorial, and a checkpoint says which member it is of.
import { describe, expect, it } from 'vitest';
import { readCheckpoint, writeCheckpoint } from '../../../../coordinator/checkpoints/checkpoint.ts';
import { initialState } from '../../../../coordinator/training/state.ts';
import { layoutOf, type Net } from '../../../../shared/model/layout.ts';
import {
  dcgan,
  dcgan28,
  describeWidth,
  discriminatorLayers,
  generatorLayers,
  IMAGE_SIDES,
  imageShapeOf,
  type ModelChoice,
} from '../../../../shared/model/spec.ts';
import { scratchFolder } from '../../scratch.ts';

const choose = (given: Partial<ModelChoice>): ModelChoice => ({
  ...{ latentSize: 100, imageSize: 64, channels: 3, width: 1 },
  ...given,
});
const shapesOf = (net: Net, choice: ModelChoice): string[] =>
  layoutOf(net, dcgan(choice)).parameters.map(({ name, torchShape }) => `${name} ${torchShape}`);
const norms = (layer: number, size: number): string[] => [`main.${layer}.weight ${size}`, `main.${layer}.bias ${size}`];

describe('the family', () => {
  it("is PyTorch's tutorial at 64 pixels", () => {
    expect(shapesOf('generator', choose({}))).toEqual([
      ...['main.0.weight 100,512,4,4', ...norms(1, 512)],
      ...['main.3.weight 512,256,4,4', ...norms(4, 256)],
      ...['main.6.weight 256,128,4,4', ...norms(7, 128)],
      ...['main.9.weight 128,64,4,4', ...norms(10, 64)],
      'main.12.weight 64,3,4,4',
    ]);
    expect(shapesOf('discriminator', choose({}))).toEqual([
      'main.0.weight 64,3,4,4',
      ...['main.2.weight 128,64,4,4', ...norms(3, 128)],
      ...['main.5.weight 256,128,4,4', ...norms(6, 256)],
      ...['main.8.weight 512,256,4,4', ...norms(9, 512)],
      'main.11.weight 1,512,4,4',
    ]);
  });

  it('has one level less at 32 pixels', () => {
    expect(shapesOf('generator', choose({ imageSize: 32, channels: 1 }))).toEqual([
      ...['main.0.weight 100,256,4,4', ...norms(1, 256)],
      ...['main.3.weight 256,128,4,4', ...norms(4, 128)],
      ...['main.6.weight 128,64,4,4', ...norms(7, 64)],
      'main.9.weight 64,1,4,4',
    ]);
    expect(shapesOf('discriminator', choose({ imageSize: 32, channels: 1 }))).toEqual([
      'main.0.weight 64,1,4,4',
      ...['main.2.weight 128,64,4,4', ...norms(3, 128)],
      ...['main.5.weight 256,128,4,4', ...norms(6, 256)],
      'main.8.weight 1,256,4,4',
    ]);
  });

  it.each(IMAGE_SIDES)('goes from 1 to %s pixels and back', (imageSize) => {
    for (const channels of [1, 3] as const) {
      const spec = dcgan(choose({ imageSize, channels }));
      const sides = [4, 8, 16, ...(imageSize === 64 ? [32] : []), imageSize];
      expect(generatorLayers(spec).map(({ outputShape: [side] }) => side)).toEqual(sides);
      const back = discriminatorLayers(spec);
      expect(back.map(({ inputShape: [side] }) => side)).toEqual(sides.toReversed());
      expect([back.at(-1)?.outputShape, imageShapeOf(spec)]).toEqual([
        [1, 1, 1],
        [imageSize, imageSize, channels],
      ]);
    }
  });

  it('scales all layers with the width', () => {
    const channels = (width: number, imageSize: 28 | 64) =>
      ['generator', 'discriminator'].map((net) => {
        const spec = dcgan(choose({ width, imageSize }));
        return (net === 'generator' ? generatorLayers(spec) : discriminatorLayers(spec)).map(({ outputs }) => outputs);
      });
    expect(channels(2, 28)).toEqual([
      [256, 128, 64, 3],
      [32, 64, 128, 1],
    ]);
    expect(channels(0.25, 64)).toEqual([
      [128, 64, 32, 16, 3],
      [16, 32, 64, 128, 1],
    ]);
  });

  it.each([
    { imageSize: 28, fit: [1, 2, 8], unfit: [0, 0.5, 1.5, 9, -1, Number.NaN, Infinity], words: '1 up to 8 at 28' },
    { imageSize: 32, fit: [0.25, 1, 3.75, 4], unfit: [0, 0.3, 4.25, -0.25], words: '0.25 up to 4 at 32' },
    { imageSize: 64, fit: [0.25, 1, 2], unfit: [0.125, 2.25], words: '0.25 up to 2 at 64' },
  ] as const)('says which widths there are at $imageSize pixels', ({ imageSize, fit, unfit, words }) => {
    for (const width of fit) expect(describeWidth({ imageSize, width })).toBeUndefined();
    for (const width of unfit) {
      expect(describeWidth({ imageSize, width })).toBe(`expected a multiple of ${words} pixels`);
      expect(() => dcgan(choose({ imageSize, width }))).toThrow(`width ${width}: expected`);
    }
  });

  it.each([
    { imageSize: 28, channels: 1, width: 1 },
    { imageSize: 28, channels: 3, width: 2 },
    { imageSize: 32, channels: 1, width: 0.25 },
    { imageSize: 32, channels: 3, width: 0.5 },
    { imageSize: 64, channels: 3, width: 0.25 },
  ] as const)('a checkpoint tells its member: $imageSize x $channels, width $width', (member) => {
    const spec = dcgan({ ...member, latentSize: 3 });
    const path = `${scratchFolder()}/step-00000000.safetensors`;
    writeCheckpoint(path, initialState(spec, 7, true), '{}');
    expect(readCheckpoint(path).state.spec).toEqual(spec);
  });

  it("has the seed's model", () => {
    expect(dcgan28(5)).toEqual(dcgan({ latentSize: 5, imageSize: 28, channels: 1, width: 1 }));
    expect(dcgan28(5).discriminator.every(({ bias }) => bias)).toBe(true);
  });
});
