// The engine `cuda`: all shards that it is given of a pass are computed at once, and what does not wait for each other runs side by side.
// Parameters lie on the device, copied when their version changes; images may; results lie where the coordinator wants them, also on another GPU.

import { type DevicePlace, isOnHost, type Numbers } from '../../../shared/device-memory.ts';
import { MOST_TOGETHER } from '../../../shared/flow.ts';
import { layoutOf, type Net, type Pass } from '../../../shared/model/layout.ts';
import type { SampleJob } from '../../../shared/protocol.ts';
import type { Engine, EngineSetup, PendingPass, ShardInput, ShardResult } from '../engine.ts';
import { ProgramSampler } from '../program-sampler.ts';
import type { Address, NativeGpu, NativeMemory, NativeStream } from './binding.ts';
import { cudaExecutor } from './cuda-executor.ts';
import { CudaPass } from './cuda-pass.ts';
import type { CudaRunner } from './cuda-runner.ts';
import { openPeer } from './peer.ts';

const FLOAT = Float32Array.BYTES_PER_ELEMENT;
/** The parameters of a net begin on a boundary of this many floats. */
const ALIGNMENT = 64;

interface Prepared {
  readonly setup: EngineSetup;
  /** The GPU that the coordinator's vectors lie on, where it is another one. */
  readonly peer: NativeGpu | undefined;
  readonly memory: NativeMemory;
  readonly stream: NativeStream;
  /** Where the parameters of a net lie, and the vectors of passes whose results go to the host or another GPU. */
  readonly parameters: Readonly<Record<Net, Address>>;
  readonly vectors: Readonly<Record<Pass, readonly Address[]>>;
  readonly passes: Readonly<Record<Pass, CudaPass>>;
  readonly sampler: ProgramSampler;
}

/** The shards whose generator pass has been begun beside their fake pass. */
interface Begun {
  readonly step: number;
  readonly shards: readonly number[];
}

export class CudaEngine implements Engine {
  readonly #runner: CudaRunner;
  readonly #versions: Partial<Record<Net, number | undefined>> = {};
  #prepared: Prepared | undefined;
  #begun: Begun | undefined;
  /** Calls that are begun when those before them have ended. */
  readonly #waiting: Record<Pass, number> = { real: 0, fake: 0, generator: 0 };
  /** When the newest pass ended, on this thread's clock. */
  #endedMs = 0;

  constructor(runner: CudaRunner) {
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

  get together(): number {
    return capacityOf(this.#ready.setup);
  }

  async prepare(setup: EngineSetup): Promise<void> {
    const { binding, gpu, number } = this.#runner;
    const { spec, vectorsOn = number } = setup;
    const capacity = capacityOf(setup);
    const layouts = { generator: layoutOf('generator', spec), discriminator: layoutOf('discriminator', spec) };
    let floats = 0;
    const take = (size: number): number => {
      const place = floats;
      floats += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
      return place;
    };
    const places = {
      generator: take(layouts.generator.parameterCount),
      discriminator: take(layouts.discriminator.parameterCount),
    };
    const vectors = (pass: Pass): number[] =>
      Array.from({ length: capacity }, () => take(CudaPass.vectorOf(pass, spec).length));
    const vectorPlaces = { real: vectors('real'), fake: vectors('fake'), generator: vectors('generator') };
    const memory = binding.allocate(gpu, floats * FLOAT);
    const base = binding.addressOf(memory);
    const addressOf = (place: number): Address => base + place * FLOAT;
    const stream = binding.createStream(gpu);
    binding.write(stream, base, new Float32Array(floats)); // parts of a vector that a pass does not have stay 0
    const parameters = { generator: addressOf(places.generator), discriminator: addressOf(places.discriminator) };
    const named = Object.values(layouts).flatMap(({ net, parameters: all }) =>
      all.map(({ name, offset }) => [`${net}/${name}`, parameters[net] + offset * FLOAT] as const),
    );
    const options = { binding, gpu, setup, capacity, parameters: Object.fromEntries(named) };
    const pass = (name: Pass): CudaPass => new CudaPass(name, options);
    this.#prepared = {
      ...{ setup, memory, stream, parameters },
      peer: vectorsOn === number ? undefined : openPeer(binding, gpu, vectorsOn, stream),
      vectors: {
        real: vectorPlaces.real.map(addressOf),
        fake: vectorPlaces.fake.map(addressOf),
        generator: vectorPlaces.generator.map(addressOf),
      },
      passes: { real: pass('real'), fake: pass('fake'), generator: pass('generator') },
      sampler: new ProgramSampler(
        { load: (program) => cudaExecutor(binding, gpu, program, options.parameters) },
        layouts.generator,
        spec,
      ),
    };
    binding.synchronise(stream);
    const shards = Array.from({ length: capacity }, (_, shard) => shard);
    for (const name of ['real', 'fake', 'generator'] as const) {
      const { passes, vectors: own } = this.#prepared;
      await passes[name].finish(passes[name].begin(0, shards, own[name], [], false), own[name]);
    }
  }

  setParameters(net: Net, version: number | undefined, values: Numbers, mark?: number): void {
    const { binding, gpu } = this.#runner;
    const { stream, parameters, passes, peer } = this.#ready;
    if (version !== undefined && this.#versions[net] === version) return;
    this.#versions[net] = version;
    if (net === 'generator') this.#begun = undefined;
    const readers = Object.values(passes).filter((pass) => net === 'discriminator' || pass !== passes.real);
    for (const pass of readers) binding.follow(stream, pass.stream);
    if (mark !== undefined) binding.waitFor(stream, mark);
    if (isOnHost(values)) {
      binding.synchronise(stream); // with its limit, which a copy out of the host's own memory has not
      binding.write(stream, parameters[net], values);
    } else if (peer) {
      binding.copyBetween(stream, parameters[net], gpu, values.address, peer, values.length * FLOAT);
    } else binding.copy(stream, parameters[net], values.address, values.length * FLOAT);
    for (const pass of readers) binding.follow(pass.stream, stream);
  }

  beginPass(
    pass: Pass,
    step: number,
    given: readonly ShardInput[],
    onBegun: (mark: number) => void = () => {},
  ): PendingPass {
    const { passes, vectors, peer } = this.#ready;
    const { binding, gpu } = this.#runner;
    const compiled = passes[pass];
    // In the order of their numbers, so that the generator pass finds what was begun beside the fake one.
    const shards = [...given].sort((a, b) => a.shard - b.shard);
    const numbers = shards.map(({ shard }) => shard);
    const own = (i: number): Address => vectors[pass][i] ?? Number.NaN;
    const places = shards.map(({ into }, i) => (isOnHost(into) || peer ? own(i) : into.address));
    let begunMs = 0;
    let launchedMs = 0;
    const copyToPeer = (): void => {
      for (const [i, { into }] of shards.entries()) {
        if (isOnHost(into) || !peer) continue;
        binding.copyBetween(compiled.stream, into.address, peer, own(i), gpu, into.length * FLOAT);
      }
    };
    const begin = (): ReturnType<CudaPass['begin']> => {
      begunMs = performance.now();
      const hasFirst = pass === 'generator' && this.#takeBegun(step, numbers);
      const call = compiled.begin(step, numbers, places, shards, hasFirst, copyToPeer);
      onBegun(binding.handleOf(call.mark));
      launchedMs = performance.now();
      if (pass === 'fake' && !passes.generator.isFull) {
        passes.generator.beginFirst(step, numbers);
        this.#begun = { step, shards: numbers };
      }
      return call;
    };
    // A pass has memory for so many calls, and vectors of its own for one.
    const needsOwn = peer !== undefined || shards.some(({ into }) => isOnHost(into));
    const mustWait = this.#waiting[pass] > 0 || (needsOwn ? compiled.isPending : compiled.isFull);
    if (mustWait) this.#waiting[pass] += 1;
    const begun = mustWait ? undefined : begin();
    return {
      finish: async () => {
        if (mustWait) this.#waiting[pass] -= 1;
        const call = begun ?? begin();
        const startedMs = Math.max(begunMs, this.#endedMs);
        const found = await compiled.finish(call, places);
        const computedMs = performance.now();
        const onHost = shards.flatMap(({ into }, i) => (isOnHost(into) ? [[own(i), into] as const] : []));
        for (const [place, into] of onHost) binding.read(compiled.stream, place, into);
        this.#endedMs = performance.now();
        const prepare = Math.max(0, launchedMs - startedMs) / 1000;
        const seconds = {
          start: (performance.timeOrigin + startedMs) / 1000,
          prepare,
          compute: (computedMs - startedMs) / 1000 - prepare,
          copy: (this.#endedMs - computedMs) / 1000,
        };
        const results = found.map(
          (outOfRange): ShardResult => (outOfRange ? { ok: false, outOfRange } : { ok: true, seconds }),
        );
        return given.map((shard) => results[shards.indexOf(shard)] as ShardResult);
      },
    };
  }

  async computePass(pass: Pass, step: number, shards: readonly ShardInput[]): Promise<readonly ShardResult[]> {
    const results: ShardResult[] = [];
    const { together } = this;
    for (let first = 0; first < shards.length; first += together) {
      results.push(...(await this.beginPass(pass, step, shards.slice(first, first + together)).finish()));
    }
    return results;
  }

  async sample(job: SampleJob): Promise<Float32Array> {
    const { sampler, stream } = this.#ready;
    this.#runner.binding.synchronise(stream); // the parameters, which have been set
    return sampler.draw(job, {});
  }

  edit({ address, length }: DevicePlace, change: (values: Float32Array) => void): void {
    const { binding, gpu } = this.#runner;
    const { stream, peer } = this.#ready;
    const values = new Float32Array(length);
    const memory = peer && binding.allocate(gpu, values.byteLength);
    const own = memory ? binding.addressOf(memory) : address;
    if (peer) binding.copyBetween(stream, own, gpu, address, peer, values.byteLength);
    binding.synchronise(stream);
    binding.read(stream, own, values);
    change(values);
    binding.write(stream, own, values);
    if (peer) binding.copyBetween(stream, address, peer, own, gpu, values.byteLength);
    binding.synchronise(stream);
    if (memory) binding.release(memory);
  }

  tensorCount(): number {
    return 0;
  }

  dispose(): void {
    if (!this.#prepared) return;
    const { passes, sampler, memory } = this.#prepared;
    for (const pass of Object.values(passes)) pass.dispose();
    sampler.dispose();
    this.#runner.binding.release(memory);
    this.#prepared = undefined;
  }

  get #ready(): Prepared {
    if (!this.#prepared) throw new Error('the engine has not been prepared');
    return this.#prepared;
  }

  /** Whether the generator pass of these shards has been begun; it is used up. */
  #takeBegun(step: number, shards: readonly number[]): boolean {
    const begun = this.#begun;
    this.#begun = undefined;
    return (
      begun?.step === step &&
      begun.shards.length === shards.length &&
      begun.shards.every((shard, i) => shards[i] === shard)
    );
  }
}

function capacityOf({ shards }: EngineSetup): number {
  return Math.min(shards, MOST_TOGETHER);
}
