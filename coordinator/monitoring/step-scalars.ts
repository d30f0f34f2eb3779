// The curves of a run: one number a step for each, as the live page, the report and TensorBoard show them.
import type { StepRecord } from '../training/trainer.ts';

/** In the order of `CURVES` (shared/live-protocol.ts). @param batch images a step */
export function curvesOf({ discriminator, generator, seconds }: StepRecord, batch: number): number[] {
  return [
    discriminator.lossReal + discriminator.lossFake,
    generator.lossFake,
    discriminator.outputReal,
    discriminator.outputFake,
    discriminator.gradientNorm,
    generator.gradientNorm,
    batch / seconds,
  ];
}
