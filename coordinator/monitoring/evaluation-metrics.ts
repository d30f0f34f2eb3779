// Metrics of evaluations: there are none before the first one. A part of metrics.ts.
import { Gauge, type Registry } from 'prom-client';
import type { LoggedEvaluation } from '../run-folder/evaluation-log.ts';

/** @returns observes an evaluation */
export function addEvaluationMetrics(registry: Registry): (evaluation: LoggedEvaluation) => void {
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: readonly Label[]): Gauge<Label> =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const step = gauge('ganglion_evaluation_step', 'Step of the newest evaluation.', 'weights');
  const distance = gauge(
    'ganglion_frechet_distance',
    "Fréchet distance between the features of samples and of real images, by Ganglion's own classifier.",
    'weights',
  );
  const floor = gauge(
    'ganglion_frechet_distance_floor',
    'Fréchet distance between real images and other real ones: no generator does better.',
    'weights',
  );
  const precision = gauge('ganglion_precision', 'Share of samples that look real.', 'weights');
  const recall = gauge('ganglion_recall', 'Share of real images that the samples cover.', 'weights');
  const classShare = gauge('ganglion_class_share', 'Share of samples that are a digit.', 'weights', 'digit');
  const realShare = gauge('ganglion_real_class_share', 'Share of real images that are a digit.', 'weights', 'digit');
  return (evaluation) => {
    const { weights, classShares, realShares } = evaluation;
    step.set({ weights }, evaluation.step);
    distance.set({ weights }, evaluation.frechetDistance);
    floor.set({ weights }, evaluation.floor);
    precision.set({ weights }, evaluation.precision);
    recall.set({ weights }, evaluation.recall);
    for (const [digit, share] of (classShares ?? []).entries()) classShare.set({ weights, digit }, share);
    for (const [digit, share] of (realShares ?? []).entries()) realShare.set({ weights, digit }, share);
  };
}
