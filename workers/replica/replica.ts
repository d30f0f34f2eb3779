// The replica: turns (step, pass, shard) into a phase vector, and draws samples. It knows programs and an
// engine to run them, but not the transport that calls it (thread-entry.ts).
import { type ErrorPlace, GanglionError, messageOf } from '../../shared/error.ts';
import { exactLimit, findOutside } from '../../shared/exact-sum.ts';
import { layoutOf, type Net, type NetLayout, type Pass, phaseOf } from '../../shared/model/layout.ts';
import { meanCrossEntropy, meanProbability } from '../../shared/model/losses.ts';
import { phaseVectorOf, type ScalarName, type Slice } from '../../shared/model/phase-vector.ts';
import { PASS_PROGRAMS, samplingProgram } from '../../shared/model/phases.ts';
import type { Begun, Executor, Program } from '../../shared/model/program.ts';
import { imageSizeOf } from '../../shared/model/spec.ts';
import { toFloatPixels } from '../../shared/pixels.ts';
import {
  describeShard,
  type PassSeconds,
  type ReplicaSetup,
  type SampleJob,
  type ShardJob,
} from '../../shared/protocol.ts';
import { fillNormal } from '../../shared/random.ts';
import { strikeOutputs } from './faults.ts';

/** What a replica computes with: anything that runs programs (engines.ts). */
export interface Engine {
  readonly backend: string;
  readonly libraryVersion: string;
  /** Name of the GPU, where there is a choice. */
  readonly device?: string;
  /** Compiles a program. */
  load(program: Program): Executor;
  /** Tensors alive in the engine. */
  tensorCount(): number;
  /** As {@link findOutside}, where the engine has a faster one. */
  readonly findOutside?: (values: Float32Array, limit: number) => number;
  /** As {@link fillNormal}, where the engine has a faster one: with the same bits. */
  readonly fillNormal?: typeof fillNormal;
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

/** A pass, compiled, and where its outputs lie in the phase vector. */
interface CompiledPass {
  readonly executor: Executor;
  readonly slices: readonly Slice[];
  readonly scalars: Readonly<Record<ScalarName, number>>;
  /** The place of every output in each result slot. */
  readonly places: readonly Readonly<Record<string, Float32Array>>[];
}

/** A generator pass that has been begun, its noise, and when that was done, in seconds. */
interface BegunPass {
  readonly z: Float32Array;
  readonly begun: Begun;
  readonly start: number;
  readonly seconds: number;
}

/** What the clock of all threads and processes shows at a time of this thread's `performance.now()`, in seconds. */
const toEpochSeconds = (ms: number): number => (performance.timeOrigin + ms) / 1000;

/** One replica. It is asked one thing at a time (service.ts); no call keeps state for the next but what was begun for it. */
export class Replica {
  readonly #engine: Engine;
  readonly #setup: ReplicaSetup;
  readonly #layouts: Readonly<Record<Net, NetLayout>>;
  readonly #passes: Readonly<Record<Pass, CompiledPass>>;
  readonly #parameters: Record<string, Float32Array>;
  readonly #limit: number;
  #sampling: Executor | undefined;
  /** Generator passes begun in advance, by shard, all of one step. */
  readonly #begun = new Map<number, BegunPass>();
  #begunStep = -1;

  /** Compiles all passes and runs each once, so that nothing is compiled for the first time beside another replica. */
  static async start(engine: Engine, setup: ReplicaSetup): Promise<Replica> {
    const replica = new Replica(engine, setup);
    await replica.#warmUp();
    return replica;
  }

  private constructor(engine: Engine, setup: ReplicaSetup) {
    const { spec } = setup;
    this.#engine = engine;
    this.#setup = setup;
    this.#layouts = { generator: layoutOf('generator', spec), discriminator: layoutOf('discriminator', spec) };
    this.#parameters = {
      ...parameterInputs(this.#layouts.generator, setup.parameters.generator),
      ...parameterInputs(this.#layouts.discriminator, setup.parameters.discriminator),
    };
    this.#limit = exactLimit(setup.shards * 2); // the discriminator phase adds two passes
    this.#passes = { real: this.#compile('real'), fake: this.#compile('fake'), generator: this.#compile('generator') };
  }

  async #warmUp(): Promise<void> {
    const { spec, shardSize } = this.#setup;
    const images = new Float32Array(shardSize * imageSizeOf(spec));
    const z = new Float32Array(shardSize * spec.latentSize).map((_, i) => Math.sin(i));
    for (const { executor } of Object.values(this.#passes)) await executor.run({ ...this.#parameters, images, z });
  }

  #compile(pass: Pass): CompiledPass {
    const { spec, shardSize } = this.#setup;
    const program = PASS_PROGRAMS[pass](shardSize, spec);
    const { slices: all, scalars } = phaseVectorOf(phaseOf(pass), spec);
    const slices = all.filter(({ output }) => output in program.outputs);
    const places = this.#setup.results[pass].map((slot) =>
      Object.fromEntries(slices.map(({ output, offset, size }) => [output, slot.subarray(offset, offset + size)])),
    );
    return { executor: this.#engine.load(program), slices, scalars, places };
  }

  /**
   * Computes a pass of a shard into the job's result slot.
   *
   * @returns when it began, and the seconds of each part
   * @throws GanglionError `range`, its message naming the value alone, when one is not finite or too large for the exact sum; the
   *   slot is then worthless
   */
  async compute(job: ShardJob): Promise<PassSeconds> {
    if (job.step !== this.#begunStep) this.#dropBegun(job.step);
    const ahead = job.pass === 'generator' ? this.#takeBegun(job.shard) : undefined;
    const started = performance.now();
    const inputs: Record<string, Float32Array> = { ...this.#parameters };
    if (job.pass === 'real') {
      if (!job.pixels) throw new Error('a job on real images carries pixels');
      inputs.images = toFloatPixels(job.pixels);
    } else {
      inputs.z = ahead?.z ?? this.#noise(job.pass, job);
    }
    const prepared = performance.now();
    const { executor, places } = this.#passes[job.pass];
    const outputs = await executor.run(inputs, ahead?.begun, places[job.slot]);
    if (job.fault) strikeOutputs(job.fault, outputs);
    const computed = performance.now();
    this.#writeVector(job, outputs);
    return {
      start: toEpochSeconds(started),
      prepare: (prepared - started) / 1000,
      compute: (computed - prepared) / 1000,
      copy: (performance.now() - computed) / 1000,
      ...(ahead ? { precompute: { start: ahead.start, seconds: ahead.seconds } } : {}),
    };
  }

  /**
   * Begins the generator pass of a shard while there is nothing else to do: makes its images, which need no D. The pass gives the same
   * bits with and without. What is never asked for is dropped with its step. The parameters of G must be those of that step.
   *
   * @returns whether there was something to begin
   */
  async begin(step: number, shard: number): Promise<boolean> {
    const { executor } = this.#passes.generator;
    if (step !== this.#begunStep) this.#dropBegun(step);
    if (!executor.begin || this.#begun.has(shard)) return false;
    const started = performance.now();
    const z = this.#noise('generator', { step, shard });
    const begun = await executor.begin({ ...this.#parameters, z });
    const seconds = (performance.now() - started) / 1000;
    this.#begun.set(shard, { z, begun, start: toEpochSeconds(started), seconds });
    return true;
  }

  #takeBegun(shard: number): BegunPass | undefined {
    const begun = this.#begun.get(shard);
    this.#begun.delete(shard);
    return begun;
  }

  #dropBegun(step: number): void {
    for (const { begun } of this.#begun.values()) begun.dispose();
    this.#begun.clear();
    this.#begunStep = step;
  }

  /** Draws images [count, values of an image] in [-1, 1]; image i depends on (seed, i) only, unless the statistics are the batch's own. */
  async sample({ seed, count, statistics }: SampleJob): Promise<Float32Array> {
    const batch = statistics === 'batch' ? count : SAMPLE_BATCH;
    const { spec } = this.#setup;
    const { latentSize } = spec;
    const size = imageSizeOf(spec);
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
      statistics === 'batch' ? this.#engine.load(samplingProgram(count, spec, 'batch')) : this.#samplingExecutor();
    try {
      const images = new Float32Array(count * size);
      for (let first = 0; first < count; first += batch) {
        const z = new Float32Array(batch * latentSize);
        for (let i = 0; i < batch; i++) {
          const address = { seed, stream: 'samples', time: 0, part: first + i } as const;
          fillNormal(address, z.subarray(i * latentSize, (i + 1) * latentSize));
        }
        const { images: drawn } = await executor.run({ ...weights, ...running, z });
        if (!drawn) throw new Error('the sampling program gave no images');
        images.set(drawn.subarray(0, Math.min(batch, count - first) * size), first * size);
      }
      return images;
    } finally {
      if (statistics === 'batch') executor.dispose();
    }
  }

  /** Compiled at the first picture and kept: a run draws one every epoch. */
  #samplingExecutor(): Executor {
    this.#sampling ??= this.#engine.load(samplingProgram(SAMPLE_BATCH, this.#setup.spec, 'running'));
    return this.#sampling;
  }

  dispose(): void {
    this.#dropBegun(-1);
    for (const { executor } of Object.values(this.#passes)) executor.dispose();
    this.#sampling?.dispose();
  }

  #noise(pass: 'fake' | 'generator', { step, shard }: Pick<ShardJob, 'step' | 'shard'>): Float32Array {
    const { seed, shardSize, spec } = this.#setup;
    const stream = pass === 'fake' ? 'discriminatorNoise' : 'generatorNoise';
    const fill = this.#engine.fillNormal ?? fillNormal;
    return fill({ seed, stream, time: step, part: shard }, new Float32Array(shardSize * spec.latentSize));
  }

  #writeVector(job: ShardJob, outputs: Record<string, Float32Array>): void {
    const { pass, slot } = job;
    const { slices, scalars, places } = this.#passes[pass];
    const out = this.#setup.results[pass][slot];
    if (!out) throw new Error(`there is no result slot ${slot}`);
    const find = this.#engine.findOutside ?? findOutside;
    for (const { output, offset } of slices) {
      const values = outputs[output];
      if (!values) throw new Error(`the program of ${pass} gave no ${output}`);
      const outside = find(values, this.#limit);
      if (outside !== -1) throw this.#outOfRange(job, `${output}[${outside}]`, values[outside]);
      if (values !== places[slot]?.[output]) out.set(values, offset);
    }
    const write = (name: ScalarName, value: number): void => {
      if (!(Math.abs(value) < this.#limit)) throw this.#outOfRange(job, name, value);
      out[scalars[name]] = value;
    };
    const { logits } = outputs;
    if (!logits) throw new Error(`the program of ${pass} gave no logits`);
    write(pass === 'real' ? 'lossReal' : 'lossFake', meanCrossEntropy(logits, pass === 'fake' ? 0 : 1));
    write(pass === 'real' ? 'outputReal' : 'outputFake', meanProbability(logits));
  }

  #outOfRange(job: ShardJob, name: string, value: number | undefined): GanglionError {
    const message = `${name} is ${value}, expected a finite value below ${this.#limit}`;
    return new GanglionError('range', message, { place: placeOf(this.#setup.replica, job), reason: 'range' });
  }
}

function placeOf(replica: number, job?: ShardJob): ErrorPlace {
  return job ? { replica, step: job.step, pass: job.pass, shard: job.shard } : { replica };
}

/** Anything thrown by a replica as an error that names replica, step and shard. */
export function toReplicaError(error: unknown, replica: number, job?: ShardJob): GanglionError {
  if (error instanceof GanglionError && error.place.replica !== undefined) return error;
  const where = job ? ` on ${describeShard(job)}` : '';
  const code = error instanceof GanglionError ? error.code : 'replica';
  const message = `replica ${replica} failed${where}: ${messageOf(error)}`;
  return new GanglionError(code, message, { cause: error, place: placeOf(replica, job), reason: 'error' });
}
