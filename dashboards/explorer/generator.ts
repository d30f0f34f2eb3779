// The generator, by the first way to compute that works here. One that cannot run, or computes wrong, is refused with its reason.
import { messageOf } from '../../shared/error.ts';
import { layoutOf } from '../../shared/model/layout.ts';
import { parameterInputs, statisticsInputs } from '../../shared/model/net-inputs.ts';
import { samplingProgram } from '../../shared/model/phases.ts';
import { imageSizeOf } from '../../shared/model/spec.ts';
import type { Executor, Values } from '../../workers/engines/executor.ts';
import { kernelExecutor } from '../../workers/engines/kernels/executor.ts';
import { WasmBinding } from '../../workers/engines/wasm/binding.ts';
import {
  isFused,
  startKernels,
  WASM_FILES,
  WASM_IMPORTS,
  type WasmVariant,
} from '../../workers/engines/wasm/kernels.ts';
import { bytesOf, data, toFloats } from './embedded.ts';
import { noiseOf } from './latent.ts';
import { plainGenerator } from './plain.ts';

/** How far a pixel, in [-1, 1], may be from that of `ganglion sample`. */
const TOLERANCE = 1 / 255 + 1e-3;
/** Images drawn to say how long one takes. */
const TIMED = 3;

const { spec, check } = data;
const LATENT = spec.latentSize;

/** Ways to compute, the best first. Those in WebAssembly give the bits of Ganglion's kernels. */
const WAYS: Readonly<Record<string, () => Promise<Pick<Executor, 'run'>>>> = {
  WebAssembly: () => byKernels('fused'),
  'WebAssembly without fused multiply-add': () => byKernels('exact'),
  'plain JavaScript': async () => plainGenerator(spec),
};

async function byKernels(variant: WasmVariant): Promise<Executor> {
  const { instance } = await WebAssembly.instantiate(bytesOf(WASM_FILES[variant]), WASM_IMPORTS);
  const kernels = startKernels(instance.exports);
  if (!isFused(kernels)) throw new Error('it rounds a multiply-add twice');
  const executor = kernelExecutor(new WasmBinding(kernels), samplingProgram(1, spec, 'running'));
  if (!executor) throw new Error('there are no kernels for this generator');
  return executor;
}

/** Parameters and running statistics, by their names in the program. */
function readWeights(): Values {
  const layout = layoutOf('generator', spec);
  const values = new Float32Array(bytesOf('weights').buffer);
  return {
    ...parameterInputs(layout, values.subarray(0, layout.parameterCount)),
    ...statisticsInputs(layout, values.subarray(layout.parameterCount)),
  };
}

export class Generator {
  /** How it computes. */
  readonly way: string;
  /** Largest difference to what `ganglion sample` has drawn at the export: 0 where it drew by the same arithmetic. */
  difference = Number.POSITIVE_INFINITY;
  /** Milliseconds for one image. */
  milliseconds = Number.NaN;
  readonly #executor: Pick<Executor, 'run'>;
  readonly #weights: Values;

  private constructor(way: string, executor: Pick<Executor, 'run'>, weights: Values) {
    this.way = way;
    this.#executor = executor;
    this.#weights = weights;
  }

  /** The first way that computes right. @throws Error that says why none does */
  static async start(): Promise<Generator> {
    const weights = readWeights();
    const refused: string[] = [];
    for (const [way, start] of Object.entries(WAYS)) {
      try {
        const generator = new Generator(way, await start(), weights);
        await generator.#check();
        return generator;
      } catch (error) {
        refused.push(`${way}: ${messageOf(error)}`);
      }
    }
    throw new Error(`Nothing here can run the generator. ${refused.join('; ')}.`);
  }

  /** An image [height, width, channels] in [-1, 1]. */
  async draw(z: Float32Array): Promise<Float32Array> {
    const { images } = await this.#executor.run({ ...this.#weights, z });
    if (!images) throw new Error('the generator gave no image');
    return images;
  }

  async #check(): Promise<void> {
    const expected = toFloats(check.images);
    const size = imageSizeOf(spec);
    let difference = 0;
    for (let image = 0; image < check.count; image++) {
      const drawn = await this.draw(noiseOf(check.seed, image, LATENT));
      drawn.forEach((pixel, at) => {
        const off = Math.abs(pixel - (expected[image * size + at] ?? Number.NaN));
        difference = Number.isNaN(off) ? Number.POSITIVE_INFINITY : Math.max(difference, off);
      });
    }
    if (difference > TOLERANCE) {
      throw new Error(`it computes wrong: pixels differ by ${difference.toPrecision(2)} from ganglion sample`);
    }
    this.difference = difference;
    const noise = noiseOf(check.seed, 0, LATENT);
    const started = performance.now();
    for (let i = 0; i < TIMED; i++) await this.draw(noise);
    this.milliseconds = (performance.now() - started) / TIMED;
  }
}
