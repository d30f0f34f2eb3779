import { describe, expect, it } from 'vitest';
import { layoutOf, PASSES } from '../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../shared/model/phase-vector.ts';
import { PASS_PROGRAMS } from '../../../../shared/model/phases.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';

describe.each(['discriminator', 'generator'] as const)('vector of the %s phase', (phase) => {
  it.each([1, 100])('covers every position once, but for untrained parameters (latent %i)', (latent) => {
    const vector = phaseVectorOf(phase, dcgan28(latent));
    const covered = new Uint8Array(vector.length);
    for (const { offset, size } of vector.slices)
      for (let i = 0; i < size; i++) covered[offset + i] = (covered[offset + i] ?? 9) + 1;
    for (const offset of Object.values(vector.scalars)) covered[offset] = (covered[offset] ?? 9) + 1;

    const expected = new Uint8Array(vector.length).fill(1);
    for (const { trained, offset, size } of layoutOf(phase, dcgan28(latent)).parameters) {
      if (!trained) expected.fill(0, offset, offset + size);
    }
    expect(covered.findIndex((count, i) => count !== expected[i])).toBe(-1);
  });

  it('begins with the gradient in the order of the parameters', () => {
    const { parameters, parameterCount } = layoutOf(phase, dcgan28(100));
    const vector = phaseVectorOf(phase, dcgan28(100));
    expect(vector.gradientCount).toBe(parameterCount);
    expect(vector.slices.filter(({ output }) => output.startsWith('gradient/'))).toEqual(
      parameters
        .filter(({ trained }) => trained)
        .map(({ name, offset, size }) => ({ output: `gradient/${name}`, offset, size })),
    );
  });

  it("names every output of the phase's passes but the logits, with its size; the passes share gradients alone", () => {
    const { slices } = phaseVectorOf(phase, dcgan28(3));
    const sizes = PASSES[phase].map((pass) => {
      const { logits, ...outputs } = PASS_PROGRAMS[pass](2, dcgan28(3)).outputs;
      expect(logits?.shape).toEqual([2, 1]);
      return Object.fromEntries(Object.entries(outputs).map(([n, { shape }]) => [n, shape.reduce((a, b) => a * b, 1)]));
    });
    expect(Object.assign({}, ...sizes)).toEqual(Object.fromEntries(slices.map(({ output, size }) => [output, size])));
    const names = sizes.flatMap(Object.keys).filter((name) => !name.startsWith('gradient/'));
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('statistics', () => {
  it('lie in the order in which PyTorch would run the forward passes', () => {
    // Vector of D: 42,545 gradients and 4 scalars, then G's 448 statistics, then D's 192 on real and on fake images.
    expect(phaseVectorOf('discriminator', dcgan28(100))).toMatchObject({
      scalars: { lossReal: 42_545, lossFake: 42_546, outputReal: 42_547, outputFake: 42_548 },
      statistics: [
        { net: 'generator', offset: 42_549, size: 448 },
        { net: 'discriminator', offset: 42_997, size: 192 },
        { net: 'discriminator', offset: 43_189, size: 192 },
      ],
      length: 43_381,
    });
    expect(phaseVectorOf('generator', dcgan28(100))).toMatchObject({
      statistics: [
        { net: 'generator', offset: 369_604, size: 448 },
        { net: 'discriminator', offset: 370_052, size: 192 },
      ],
      length: 370_244,
    });
  });

  it("lie within their forward's slice as in the net's layout", () => {
    const { slices } = phaseVectorOf('discriminator', dcgan28(100));
    const at = (output: string) => slices.find((slice) => slice.output === output);
    // The second BatchNorm of D: mean at 64, variance 64 channels later.
    expect(at('real/main.6.mean')).toMatchObject({ offset: 42_997 + 64, size: 64 });
    expect(at('real/main.6.variance')).toMatchObject({ offset: 42_997 + 128, size: 64 });
    expect(at('fake/main.3.variance')).toMatchObject({ offset: 43_189 + 32, size: 32 });
    expect(at('generator/main.4.mean')).toMatchObject({ offset: 42_549 + 256, size: 64 });
  });
});
