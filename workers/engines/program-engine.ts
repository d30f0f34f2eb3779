// An engine made of programs: it brings inputs (parameters, images, noise) to the executors of a ProgramRunner, and their outputs into phase
// vectors. So a library that can compile a graph is an engine already.
import { isOnHost, type Numbers } from '../../shared/device-memory.ts';
import { findOutside } from '../../shared/exact-sum.ts';
import { layoutOf, type Net, type NetLayout, type Pass } from '../../shared/model/layout.ts';
import { parameterInputs } from '../../shared/model/net-inputs.ts';
import { PASS_PROGRAMS } from '../../shared/model/phases.ts';
import { imageSizeOf } from '../../shared/model/spec.ts';
import { toFloatPixels } from '../../shared/pixels.ts';
import type { SampleJob } from '../../shared/protocol.ts';
import { fillNormal } from '../../shared/random.ts';
import type { Engine, EngineSetup, ShardInput, ShardResult } from './engine.ts';
import type { Executor, Values } from './executor.ts';
import { type PrecomputedPass, PrecomputedPasses } from './precomputed-passes.ts';
import type { ProgramRunner } from './program-runner.ts';
import { ProgramSampler } from './program-sampler.ts';
import { VectorWriter } from './vector-writer.ts';

/** A pass, compiled. */
interface CompiledPass {
  readonly executor: Executor;
  readonly writer: VectorWriter;
}

/** What is made by `prepare`. */
interface Prepared {
  readonly setup: EngineSetup;
  readonly layouts: Readonly<Record<Net, NetLayout>>;
  readonly passes: Readonly<Record<Pass, CompiledPass>>;
  readonly sampler: ProgramSampler;
}

/** Parameters of a net: the array, and its views. */
interface Parameters {
  readonly values: Float32Array;
  readonly inputs: Values;
}

/** What the clock of all threads and processes shows at a time of this thread's `performance.now()`, in seconds. */
const toEpochSeconds = (ms: number): number => (performance.timeOrigin + ms) / 1000;

/** Computes one shard after another by the programs of a runner. */
export class ProgramEngine implements Engine {
  readonly #runner: ProgramRunner;
  readonly #precomputed = new PrecomputedPasses();
  readonly #parameters: Partial<Record<Net, Parameters>> = {};
  /** Parameters of both nets, as inputs. */
  #inputs: Values = {};
  #prepared: Prepared | undefined;

  constructor(runner: ProgramRunner) {
    this.#runner = runner;
  }

  get name(): string {
    return this.#runner.name;
  }

  get libraryVersion(): string {
    return this.#runner.libraryVersion;
  }

  get arithmetic(): number | undefined {
    return this.#runner.arithmetic;
  }

  get device(): string | undefined {
    return this.#runner.device;
  }

  async prepare(setup: EngineSetup): Promise<void> {
    const { spec, shardSize, realLabel } = setup;
    const layouts = { generator: layoutOf('generator', spec), discriminator: layoutOf('discriminator', spec) };
    const compile = (pass: Pass): CompiledPass => {
      const program = PASS_PROGRAMS[pass](shardSize, spec, realLabel);
      const find = this.#runner.findOutside ?? findOutside;
      return {
        executor: this.#runner.load(program),
        writer: new VectorWriter(pass, setup, program, find),
      };
    };
    const passes = { real: compile('real'), fake: compile('fake'), generator: compile('generator') };
    this.#prepared = { setup, layouts, passes, sampler: new ProgramSampler(this.#runner, layouts.generator, spec) };
    const zeros = (net: Net): Values => parameterInputs(layouts[net], new Float32Array(layouts[net].parameterCount));
    const inputs = {
      ...zeros('generator'),
      ...zeros('discriminator'),
      images: new Float32Array(shardSize * imageSizeOf(spec)),
      z: new Float32Array(shardSize * spec.latentSize),
    };
    for (const { executor } of Object.values(passes)) await executor.run(inputs);
  }

  /** Nothing is copied, so a version says nothing new: programs read `values` at every run. */
  setParameters(net: Net, _version: number | undefined, values: Numbers): void {
    if (!isOnHost(values)) throw elsewhere();
    if (this.#parameters[net]?.values === values) return;
    this.#parameters[net] = { values, inputs: parameterInputs(this.#ready.layouts[net], values) };
    this.#inputs = { ...this.#parameters.generator?.inputs, ...this.#parameters.discriminator?.inputs };
  }

  async computePass(pass: Pass, step: number, shards: readonly ShardInput[]): Promise<ShardResult[]> {
    this.#precomputed.enter(step);
    const results: ShardResult[] = [];
    for (const shard of shards) results.push(await this.#computeShard(pass, step, shard));
    return results;
  }

  async precompute(step: number, shard: number): Promise<boolean> {
    const { executor } = this.#ready.passes.generator;
    this.#precomputed.enter(step);
    if (!executor.precompute || this.#precomputed.has(shard)) return false;
    const started = performance.now();
    const z = this.#noise('generator', step, shard);
    const values = await executor.precompute({ ...this.#parameters.generator?.inputs, z });
    const seconds = (performance.now() - started) / 1000;
    this.#precomputed.keep(shard, { z, values, seconds: { start: toEpochSeconds(started), seconds } });
    return true;
  }

  sample(job: SampleJob): Promise<Float32Array> {
    return this.#ready.sampler.draw(job, this.#parameters.generator?.inputs ?? {});
  }

  tensorCount(): number {
    return this.#runner.tensorCount();
  }

  dispose(): void {
    this.#precomputed.dispose();
    if (!this.#prepared) return;
    for (const { executor } of Object.values(this.#prepared.passes)) executor.dispose();
    this.#prepared.sampler.dispose();
  }

  get #ready(): Prepared {
    if (!this.#prepared) throw new Error('the engine has not been prepared');
    return this.#prepared;
  }

  async #computeShard(pass: Pass, step: number, { shard, pixels, into }: ShardInput): Promise<ShardResult> {
    if (!isOnHost(into)) throw elsewhere();
    const { executor, writer } = this.#ready.passes[pass];
    const precomputed = pass === 'generator' ? this.#precomputed.take(shard) : undefined;
    const started = performance.now();
    const inputs = this.#inputsOf(pass, step, { shard, pixels }, precomputed);
    const prepared = performance.now();
    const outputs = await executor.run(inputs, precomputed?.values, writer.placesIn(into));
    const computed = performance.now();
    const outOfRange = writer.write(outputs, into);
    if (outOfRange) return { ok: false, outOfRange };
    const seconds = {
      start: toEpochSeconds(started),
      prepare: (prepared - started) / 1000,
      compute: (computed - prepared) / 1000,
      copy: (performance.now() - computed) / 1000,
      ...(precomputed ? { precompute: precomputed.seconds } : {}),
    };
    return { ok: true, seconds };
  }

  #inputsOf(
    pass: Pass,
    step: number,
    { shard, pixels }: { readonly shard: number; readonly pixels: ShardInput['pixels'] },
    precomputed: PrecomputedPass | undefined,
  ): Values {
    // Assigned, not part of the literal: V8 is slow with a long object that begins with `...`.
    const inputs: Record<string, Float32Array> = { ...this.#inputs };
    if (pass !== 'real') inputs.z = precomputed?.z ?? this.#noise(pass, step, shard);
    else {
      if (!pixels) throw new Error('a job on real images carries pixels');
      inputs.images = toFloatPixels(pixels);
    }
    return inputs;
  }

  /** The noise of a shard, which nothing but (seed, pass, step, shard) decides. */
  #noise(pass: 'fake' | 'generator', step: number, shard: number): Float32Array {
    const { seed, shardSize, spec } = this.#ready.setup;
    const stream = pass === 'fake' ? 'discriminatorNoise' : 'generatorNoise';
    const fill = this.#runner.fillNormal ?? fillNormal;
    return fill({ seed, stream, time: step, part: shard }, new Float32Array(shardSize * spec.latentSize));
  }
}

/** The coordinator gives places on a device to engines of such a device alone. */
const elsewhere = (): Error => new Error('programs compute on numbers of the host');
