// The replica: turns (phase, step, shard) into a vector on the exact grid, and draws samples. It knows programs and an
// engine to run them, but not the transport that calls it (thread-entry.ts).
import { GanglionError, messageOf } from '../shared/error.ts';
import { exactLimit, roundExact, roundOne } from '../shared/exact-sum.ts';
import { layoutOf, type Net, type NetLayout, type Phase } from '../shared/layout.ts';
import { type PhaseVector, phaseVectorOf, type ScalarName } from '../shared/phase-vector.ts';
import { toFloatPixels } from '../shared/pixels.ts';
import type { ReplicaSetup, SampleJob, ShardJob } from '../shared/protocol.ts';
import { fillNormal } from '../shared/random.ts';
import type { Executor, Program } from './graph/program.ts';
import { meanCrossEntropy, meanProbability } from './model/losses.ts';
import { discriminatorPhase, generatorPhase, samplingProgram } from './model/phases.ts';

/** What a replica computes with: libtensorflow in training; anything that runs programs in tests. */
export interface Engine {
  readonly backend: string;
  readonly libraryVersion: string;
  /** Compiles a program. */
  load(program: Program): Executor;
  /** Tensors alive in the engine. */
  tensorCount(): number;
}

/** Images that one call of the sampling program draws on running statistics. */
const SAMPLE_BATCH = 64;

/** Views of a net's parameters, as inputs of a program. */
function parameterInputs(layout: NetLayout, values: Float32Array): Record<string, Float32Array> {
  const inputs: Record<string, Float32Array> = {};
  for (const { name, offset, size } of layout.parameters) {
    inputs[`${layout.net}/${name}`] = values.subarray(offset, offset + size);
  }
  return inputs;
}

/** One replica. Calls are answered one after another; none keeps state for the next. */
export class Replica {
  readonly #engine: Engine;
  readonly #setup: ReplicaSetup;
  readonly #layouts: Readonly<Record<Net, NetLayout>>;
  readonly #vectors: Readonly<Record<Phase, PhaseVector>>;
  readonly #phases: Readonly<Record<Phase, Executor>>;
  readonly #parameters: Record<string, Float32Array>;
  readonly #limit: number;
  #sampling: Executor | undefined;

  /** Compiles both phases and runs each once, so that nothing is compiled for the first time beside another replica. */
  constructor(engine: Engine, setup: ReplicaSetup) {
    const { latent, shardSize } = setup;
    this.#engine = engine;
    this.#setup = setup;
    this.#layouts = { generator: layoutOf('generator', latent), discriminator: layoutOf('discriminator', latent) };
    this.#vectors = {
      generator: phaseVectorOf('generator', latent),
      discriminator: phaseVectorOf('discriminator', latent),
    };
    this.#parameters = {
      ...parameterInputs(this.#layouts.generator, setup.parameters.generator),
      ...parameterInputs(this.#layouts.discriminator, setup.parameters.discriminator),
    };
    this.#limit = exactLimit(setup.shards);
    this.#phases = {
      discriminator: engine.load(discriminatorPhase(shardSize, latent)),
      generator: engine.load(generatorPhase(shardSize, latent)),
    };
    const pixels = new Float32Array(shardSize * 784);
    const noise = new Float32Array(shardSize * latent).map((_, i) => Math.sin(i));
    this.#phases.discriminator.run({ ...this.#parameters, images: pixels, z: noise });
    this.#phases.generator.run({ ...this.#parameters, z: noise });
  }

  /**
   * Computes a shard into the job's result slot.
   *
   * @returns seconds of each part
   * @throws GanglionError `range` when a value is not finite or too large for the exact sum; the slot is then worthless
   */
  compute(job: ShardJob): { prepare: number; compute: number; round: number } {
    const { phase, step, shard } = job;
    const started = performance.now();
    const z = this.#noise(phase, step, shard);
    const inputs: Record<string, Float32Array> = { ...this.#parameters, z };
    if (phase === 'discriminator') {
      if (!job.pixels) throw new Error('a job of the discriminator phase carries pixels');
      inputs.images = toFloatPixels(job.pixels);
    }
    const prepared = performance.now();
    const outputs = this.#phases[phase].run(inputs);
    const computed = performance.now();
    this.#writeVector(job, outputs);
    return {
      prepare: (prepared - started) / 1000,
      compute: (computed - prepared) / 1000,
      round: (performance.now() - computed) / 1000,
    };
  }

  /** Draws images [count, 784] in [-1, 1]; image i depends on (seed, i) only, unless the statistics are the batch's own. */
  sample({ seed, count, statistics }: SampleJob): Float32Array {
    const batch = statistics === 'batch' ? count : SAMPLE_BATCH;
    const { latent } = this.#setup;
    const layout = this.#layouts.generator;
    const running: Record<string, Float32Array> = {};
    if (statistics !== 'batch') {
      for (const { name, channels, offset } of layout.norms) {
        running[`running/${name}.mean`] = statistics.subarray(offset, offset + channels);
        running[`running/${name}.variance`] = statistics.subarray(offset + channels, offset + 2 * channels);
      }
    }
    const weights = parameterInputs(layout, this.#setup.parameters.generator);
    const executor =
      statistics === 'batch' ? this.#engine.load(samplingProgram(count, latent, 'batch')) : this.#samplingExecutor();
    try {
      const images = new Float32Array(count * 784);
      for (let first = 0; first < count; first += batch) {
        const z = new Float32Array(batch * latent);
        for (let i = 0; i < batch; i++) {
          const address = { seed, stream: 'samples', time: 0, part: first + i } as const;
          fillNormal(address, z.subarray(i * latent, (i + 1) * latent));
        }
        const { images: drawn } = executor.run({ ...weights, ...running, z });
        if (!drawn) throw new Error('the sampling program gave no images');
        images.set(drawn.subarray(0, Math.min(batch, count - first) * 784), first * 784);
      }
      return images;
    } finally {
      if (statistics === 'batch') executor.dispose();
    }
  }

  /** Compiled at the first picture and kept: a run draws one every epoch. */
  #samplingExecutor(): Executor {
    this.#sampling ??= this.#engine.load(samplingProgram(SAMPLE_BATCH, this.#setup.latent, 'running'));
    return this.#sampling;
  }

  dispose(): void {
    this.#phases.discriminator.dispose();
    this.#phases.generator.dispose();
    this.#sampling?.dispose();
  }

  #noise(phase: Phase, step: number, shard: number): Float32Array {
    const { seed, shardSize, latent } = this.#setup;
    const stream = phase === 'discriminator' ? 'discriminatorNoise' : 'generatorNoise';
    return fillNormal({ seed, stream, time: step, part: shard }, new Float32Array(shardSize * latent));
  }

  #writeVector({ phase, step, shard, slot }: ShardJob, outputs: Record<string, Float32Array>): void {
    const vector = this.#vectors[phase];
    const out = this.#setup.results[phase][slot];
    const fail = (name: string, value: number | undefined): never => {
      throw new GanglionError(
        'range',
        `replica ${this.#setup.replica} failed on step ${step}, ${phase} phase, shard ${shard}: ${name} is ${value}, expected a finite value below ${this.#limit}`,
        { place: { replica: this.#setup.replica, step, phase, shard } },
      );
    };
    for (const { output, offset } of vector.slices) {
      const values = outputs[output];
      if (!values) throw new Error(`the ${phase} phase gave no ${output}`);
      const bad = roundExact(values, this.#limit, out, offset);
      if (bad !== -1) fail(`${output}[${bad}]`, values[bad]);
    }
    const writeScalar = (name: ScalarName, value: number): void => {
      if (!(Math.abs(value) < this.#limit)) fail(name, value);
      out[vector.scalars[name]] = roundOne(value);
    };
    const real = outputs['logits/real'];
    const fake = outputs['logits/fake'];
    if (!fake) throw new Error(`the ${phase} phase gave no logits`);
    writeScalar('lossReal', real ? meanCrossEntropy(real, 1) : 0);
    writeScalar('outputReal', real ? meanProbability(real) : 0);
    writeScalar('lossFake', meanCrossEntropy(fake, phase === 'generator' ? 1 : 0));
    writeScalar('outputFake', meanProbability(fake));
  }
}

/** Anything thrown by a replica as an error that names replica, step and shard. */
export function toReplicaError(error: unknown, replica: number, job?: ShardJob): GanglionError {
  if (error instanceof GanglionError && error.place.replica !== undefined) return error;
  const place = job ? { replica, step: job.step, phase: job.phase, shard: job.shard } : { replica };
  const where = job ? ` on step ${job.step}, ${job.phase} phase, shard ${job.shard}` : '';
  const code = error instanceof GanglionError ? error.code : 'replica';
  return new GanglionError(code, `replica ${replica} failed${where}: ${messageOf(error)}`, { cause: error, place });
}
