import { expect, it } from 'vitest';
import { curvesOf } from '../../../../coordinator/monitoring/step-scalars.ts';
import { CURVES } from '../../../../shared/live-protocol.ts';
import { madeUpRecord } from '../made-up-record.ts';

it('has a value for each curve, in their order', () => {
  const values = curvesOf(madeUpRecord(1), 16);
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
