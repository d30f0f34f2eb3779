import { expect, it } from 'vitest';
import { toStepScalars } from '../../../../coordinator/training/step-scalars.ts';
import { CURVES, STEP_SCALARS, toCurves } from '../../../../shared/step-scalars.ts';
import { madeUpRecord } from '../made-up-record.ts';

it('has a value for each curve, in their order', () => {
  const values = toCurves(toStepScalars(madeUpRecord(1), 16));
  expect(Object.fromEntries(CURVES.map((curve, i) => [curve, values[i]]))).toEqual({
    lossD: 1.5,
    lossG: 0.25,
    outputReal: 0.75,
    outputFake: 0.25,
    gradientNormD: 5,
    gradientNormG: 1.25,
    imagesPerSecond: 200,
  });
  expect(values).toHaveLength(CURVES.length);
});

it('has every number that is logged, by its name', () => {
  const scalars = toStepScalars(madeUpRecord(1), 16);
  expect(Object.keys(scalars)).toEqual(STEP_SCALARS);
  expect([scalars.lossDReal, scalars.lossDFake]).toEqual([0.5, 1]);
});
