import { describe, expect, it } from 'vitest';
import { meanCrossEntropy, meanProbability } from '../../../../shared/model/losses.ts';

describe('meanCrossEntropy', () => {
  it.each([
    // logit 0: p = 1/2, so -ln(1/2) for either label.
    [[0], 1, Math.LN2],
    [[0], 0, Math.LN2],
    // logit ln 3: p = 3/4. -ln(3/4) for label 1, -ln(1/4) for label 0.
    [[Math.log(3)], 1, Math.log(4 / 3)],
    [[Math.log(3)], 0, Math.log(4)],
    [[-Math.log(3)], 1, Math.log(4)],
    [[-Math.log(3)], 0, Math.log(4 / 3)],
    // The mean: (ln 2 + ln 2 + ln(4/3)) / 3.
    [[0, 0, Math.log(3)], 1, (2 * Math.LN2 + Math.log(4 / 3)) / 3],
  ] as const)('of %j against %i is %d', (logits, label, expected) => {
    expect(meanCrossEntropy(Float32Array.from(logits), label)).toBeCloseTo(expected, 7);
  });

  it('of large logits is their size on the wrong side, and exp(-size) on the right one', () => {
    expect(meanCrossEntropy(Float32Array.of(100), 0)).toBe(100);
    expect(meanCrossEntropy(Float32Array.of(-100), 1)).toBe(100);
    // ln(1 + e^-100) = e^-100 = 3.720075976e-44
    expect(meanCrossEntropy(Float32Array.of(100), 1) / 3.720075976020836e-44).toBeCloseTo(1, 12);
    expect(meanCrossEntropy(Float32Array.of(-100), 0) / 3.720075976020836e-44).toBeCloseTo(1, 12);
    expect(meanCrossEntropy(Float32Array.of(3e38, -3e38), 1)).toBe(Math.fround(3e38) / 2);
  });

  it('knows labels between, as the gradient of D has them', () => {
    // 0.9 softplus(-2) + 0.1 softplus(2), and its mean with softplus(0) = ln 2
    const softplus = (x: number): number => Math.log(1 + Math.exp(x));
    expect(meanCrossEntropy(Float32Array.of(2), 0.9)).toBeCloseTo(0.9 * softplus(-2) + 0.1 * softplus(2), 12);
    expect(meanCrossEntropy(Float32Array.of(0, 0), 0.9)).toBeCloseTo(Math.LN2, 12);
  });

  it('is NaN where a logit is', () => {
    expect(meanCrossEntropy(Float32Array.of(0, Number.NaN), 1)).toBeNaN();
  });
});

describe('meanProbability', () => {
  it('is the mean of the sigmoid', () => {
    expect(meanProbability(Float32Array.of(0))).toBe(0.5);
    expect(meanProbability(Float32Array.of(Math.log(3)))).toBeCloseTo(0.75, 7);
    expect(meanProbability(Float32Array.of(0, Math.log(3), -Math.log(3)))).toBeCloseTo(0.5, 7);
  });

  it('is 0 and 1 for large logits, never beyond', () => {
    expect(meanProbability(Float32Array.of(100))).toBe(1);
    expect(meanProbability(Float32Array.of(-100)) / 3.720075976020836e-44).toBeCloseTo(1, 12);
    expect(meanProbability(Float32Array.of(-1000))).toBe(0);
    expect(meanProbability(Float32Array.of(Number.NaN))).toBeNaN();
  });
});
