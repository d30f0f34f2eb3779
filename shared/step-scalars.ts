// The numbers of a step that are logged and drawn, named once: metrics.jsonl, the live page, the report and TensorBoard all take them
// from here.

/** One curve each: live page, report and TensorBoard show them in this order. */
export const CURVES = [
  'lossD',
  'lossG',
  'outputReal',
  'outputFake',
  'gradientNormD',
  'gradientNormG',
  'imagesPerSecond',
] as const;
export type Curve = (typeof CURVES)[number];

/** Fields of a record of metrics.jsonl: the curves, but the loss of D in its two parts. NaN where a step has no number. */
export type StepScalar = Exclude<Curve, 'lossD'> | 'lossDReal' | 'lossDFake';
export type StepScalars = Readonly<Record<StepScalar, number>>;

export const STEP_SCALARS: readonly StepScalar[] = CURVES.flatMap((curve): StepScalar[] =>
  curve === 'lossD' ? ['lossDReal', 'lossDFake'] : [curve],
);

/** Values of the curves, in the order of {@link CURVES}. */
export function toCurves(scalars: StepScalars): number[] {
  return CURVES.map((curve) => (curve === 'lossD' ? scalars.lossDReal + scalars.lossDFake : scalars[curve]));
}
