// Draws images by a program.
import type { NetLayout } from '../../shared/model/layout.ts';
import { statisticsInputs } from '../../shared/model/net-inputs.ts';
import { samplingProgram } from '../../shared/model/phases.ts';
import { imageSizeOf, type ModelSpec } from '../../shared/model/spec.ts';
import type { SampleJob } from '../../shared/protocol.ts';
import { fillNormal } from '../../shared/random.ts';
import type { Executor, Values } from './executor.ts';
import type { ProgramRunner } from './program-runner.ts';

/** Images that one call of the sampling program draws on running statistics. */
const SAMPLE_BATCH = 64;

/** Draws images with one generator's layout. */
export class ProgramSampler {
  readonly #runner: Pick<ProgramRunner, 'load' | 'fillNormal'>;
  readonly #layout: NetLayout;
  readonly #spec: ModelSpec;
  /** Compiled for the first picture and kept: a run draws one every epoch. */
  #running: Executor | undefined;

  constructor(runner: Pick<ProgramRunner, 'load' | 'fillNormal'>, layout: NetLayout, spec: ModelSpec) {
    this.#runner = runner;
    this.#layout = layout;
    this.#spec = spec;
  }

  /**
   * Draws images [count, values of an image] in [-1, 1].
   *
   * @param parameters inputs of the generator
   */
  async draw({ seed, count, statistics }: SampleJob, parameters: Values): Promise<Float32Array> {
    if (statistics !== 'batch') {
      this.#running ??= this.#runner.load(samplingProgram(SAMPLE_BATCH, this.#spec, 'running'));
      const inputs = { ...parameters, ...statisticsInputs(this.#layout, statistics) };
      return this.#drawBatches(this.#running, inputs, { seed, count, batch: SAMPLE_BATCH });
    }
    const executor = this.#runner.load(samplingProgram(count, this.#spec, 'batch'));
    try {
      return await this.#drawBatches(executor, parameters, { seed, count, batch: count });
    } finally {
      executor.dispose();
    }
  }

  dispose(): void {
    this.#running?.dispose();
  }

  async #drawBatches(
    executor: Executor,
    inputs: Values,
    { seed, count, batch }: { seed: number; count: number; batch: number },
  ): Promise<Float32Array> {
    const { latentSize } = this.#spec;
    const size = imageSizeOf(this.#spec);
    const images = new Float32Array(count * size);
    const fill = this.#runner.fillNormal ?? fillNormal;
    for (let first = 0; first < count; first += batch) {
      const z = new Float32Array(batch * latentSize);
      for (let i = 0; i < batch; i++) {
        const address = { seed, stream: 'samples', time: 0, part: first + i } as const;
        fill(address, z.subarray(i * latentSize, (i + 1) * latentSize));
      }
      const { images: drawn } = await executor.run({ ...inputs, z });
      if (!drawn) throw new Error('the sampling program gave no images');
      images.set(drawn.subarray(0, Math.min(batch, count - first) * size), first * size);
    }
    return images;
  }
}
