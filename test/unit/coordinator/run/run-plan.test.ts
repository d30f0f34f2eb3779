import { expect, it } from 'vitest';
import { describeEnd, type PlannedRun } from '../../../../coordinator/run/plan-run.ts';
import { describeChange, type RunPlan } from '../../../../coordinator/run/run-plan.ts';

const change = (before: [string | null, number | null], now: [string, number]): string | undefined => {
  const [backendBefore, arithmeticBefore] = before;
  const config = { chosenBackend: now[0], arithmetic: now[1] };
  return describeChange({ backendBefore, arithmeticBefore, config, state: { step: 30 } } as RunPlan);
};

it('says that a resumed run computes by another arithmetic, or on another backend, in one line', () => {
  expect(change(['cpu', 1], ['cpu', 2])).toBe(
    'step 30 was computed by arithmetic 1, from here it is 2: the bits will differ from those of a run on one of them',
  );
  expect(change(['cpu', 1], ['cuda', 2])).toContain('step 30 was computed by arithmetic 1, from here it is 2');
  expect(change(['cpu', 1], ['tensorflow', 2])).toBe(
    'step 30 was computed on cpu, from here it is tensorflow: the bits will differ from those of a run on one of them',
  );
});

it('says nothing of a new run, of one that goes on as it was, and of backends with arithmetic of their own', () => {
  expect(change([null, null], ['cpu', 2])).toBeUndefined();
  expect(change(['cpu', 2], ['cpu', 2])).toBeUndefined();
  expect(change(['cpu', 2], ['cuda', 2])).toBeUndefined();
  expect(change(['cuda', 2], ['cpu', 2])).toBeUndefined();
  expect(change(['tensorflow', 1], ['tensorflow', 2])).toBeUndefined();
});

it.each([
  ['off', 'r is at step 30 of 30; go further with --steps or --epochs'],
  ['cosine', 'r is at step 30 of 30; branch off with --from'],
] as const)('says how to go on from the end of a run whose decay is %s', (lrDecay, expected) => {
  const planned = { path: 'r', state: { step: 30 }, totalSteps: 30, config: { lrDecay } };
  expect(describeEnd(planned as PlannedRun)).toBe(expected);
});
