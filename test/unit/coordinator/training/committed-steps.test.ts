import { expect, it } from 'vitest';
import { CommittedSteps } from '../../../../coordinator/training/committed-steps.ts';
import { HOST_COPY_STEPS } from '../../../../coordinator/training/host-copies.ts';
import { madeUpRecord } from '../made-up-record.ts';

it('knows the newest steps, as many as may be computed again', () => {
  const steps = new CommittedSteps();
  expect([steps.newest, steps.has(madeUpRecord(1))]).toEqual([0, false]);
  for (let step = 1; step <= 2 * HOST_COPY_STEPS; step++) steps.add(madeUpRecord(step));
  expect(steps.newest).toBe(2 * HOST_COPY_STEPS);
  for (let step = HOST_COPY_STEPS; step <= 2 * HOST_COPY_STEPS; step++)
    expect(steps.has(madeUpRecord(step))).toBe(true);
  expect(steps.has(madeUpRecord(2 * HOST_COPY_STEPS + 1))).toBe(false);
});

it('says so when a step has other figures than before; a skipped update has none twice', () => {
  const steps = new CommittedSteps();
  const record = madeUpRecord(5);
  const skipped = { ...record, generator: { ...record.generator, lossFake: Number.NaN } };
  steps.add(skipped);
  expect(steps.has(skipped)).toBe(true);
  expect(() => steps.has({ ...skipped, generator: { ...skipped.generator, lossFake: 0.5 } })).toThrow(
    'step 5, computed again, has generator lossFake 0.5, the device that is lost gave NaN: one of them computed wrongly',
  );
});
