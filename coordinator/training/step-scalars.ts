// What is logged and drawn of a step's record.
import type { StepScalars } from '../../shared/step-scalars.ts';
import type { StepRecord } from './trainer.ts';

/** @param batch images a step */
export function toStepScalars({ discriminator, generator, seconds }: StepRecord, batch: number): StepScalars {
  return {
    lossDReal: discriminator.lossReal,
    lossDFake: discriminator.lossFake,
    lossG: generator.lossFake,
    outputReal: discriminator.outputReal,
    outputFake: discriminator.outputFake,
    gradientNormD: discriminator.gradientNorm,
    gradientNormG: generator.gradientNorm,
    imagesPerSecond: batch / seconds,
  };
}
