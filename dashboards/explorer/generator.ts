// The generator on one of the browser's ways to compute. One that cannot run here, or computes wrong, is refused with its reason.
import type { GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import type * as core from '@tensorflow/tfjs-core';
import { data, toFloats, wasmUrl, weights } from './embedded.ts';
import { noiseOf } from './latent.ts';
import { Loss } from './loss.ts';

/** The global of TensorFlow.js's scripts, which stand before this one. */
declare const tf: typeof core & {
  loadGraphModel: typeof loadGraphModel;
  wasm: { setWasmPaths(paths: Readonly<Record<string, string>>): void };
};

export type Backend = 'webgpu' | 'webgl' | 'wasm';
/** In the order in which they are tried. */
export const BACKENDS: readonly Backend[] = ['webgpu', 'webgl', 'wasm'];

/** Values of an image. */
const SIZE = data.image.reduce((a, b) => a * b, 1);
/** Images drawn at once, so that a click never waits long. Others are drawn as so many, as every shape costs compiling. */
export const BATCH = 4;
/** How far a pixel, in [-1, 1], may be from that of `ganglion sample`. */
const TOLERANCE = 1 / 255 + 1e-3;

// The page has the one program: for one thread, with SIMD. The library wants to hear of all three.
tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
const programs = ['tfjs-backend-wasm-simd.wasm', 'tfjs-backend-wasm-threaded-simd.wasm', 'tfjs-backend-wasm.wasm'];
tf.wasm.setWasmPaths(Object.fromEntries(programs.map((name) => [name, wasmUrl()])));

export class Generator {
  readonly backend: Backend;
  /** Largest difference to what `ganglion sample` has drawn at the export. */
  difference = Number.POSITIVE_INFINITY;
  /** Milliseconds for one image. */
  milliseconds = Number.NaN;
  readonly #model: GraphModel;
  readonly #loss: Loss;

  private constructor(backend: Backend, model: GraphModel) {
    this.backend = backend;
    this.#model = model;
    this.#loss = lossOfBackend();
  }

  /** Starts a backend and checks it. @throws Error that says why it cannot be used */
  static async start(backend: Backend): Promise<Generator> {
    if (backend === 'webgpu' && !(await hasWebGpu())) throw new Error('this browser offers no WebGPU adapter');
    if (backend === 'wasm' && !(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT'))) {
      throw new Error('this browser has no WebAssembly with SIMD');
    }
    if (!(await tf.setBackend(backend)) || tf.getBackend() !== backend) throw new Error('it does not start here');
    await tf.ready();
    const { weightsManifest, ...rest } = data.model;
    const weightSpecs = weightsManifest.flatMap(({ weights }) => weights);
    const artifacts: unknown = { ...rest, weightSpecs, weightData: weights() };
    const model = await tf.loadGraphModel({ load: async () => artifacts as core.io.ModelArtifacts });
    const generator = new Generator(backend, model);
    try {
      await generator.#check();
    } catch (error) {
      generator.dispose();
      throw error;
    }
    return generator;
  }

  /** Images [values] in [-1, 1] of at most `BATCH` noises. @throws Error when the backend is lost */
  async draw(noises: readonly Float32Array[]): Promise<Float32Array[]> {
    const size = noises.length === 1 ? 1 : BATCH;
    const z = new Float32Array(size * data.latent);
    for (const [i, noise] of noises.entries()) z.set(noise, i * data.latent);
    const output = tf.tidy(() => {
      const input = tf.tensor2d(z, [size, data.latent]);
      return this.#model.execute({ z: input }, 'images') as core.Tensor;
    });
    const images = (await this.#loss.unless(output.data())) as Float32Array;
    output.dispose();
    return noises.map((_, i) => images.slice(i * SIZE, (i + 1) * SIZE));
  }

  /** Computes again after another backend was tried. */
  async resume(): Promise<void> {
    await tf.setBackend(this.backend);
  }

  dispose(): void {
    this.#model.dispose();
  }

  async #check(): Promise<void> {
    const { seed, count, images } = data.check;
    const expected = toFloats(images);
    let difference = 0;
    for (let first = 0; first < count; first += BATCH) {
      const part = Array.from({ length: Math.min(BATCH, count - first) }, (_, i) => first + i);
      const drawn = await this.draw(part.map((image) => noiseOf(seed, image, data.latent)));
      for (const [i, pixels] of drawn.entries()) {
        pixels.forEach((pixel, at) => {
          const off = Math.abs(pixel - (expected[(first + i) * SIZE + at] ?? Number.NaN));
          difference = Number.isNaN(off) ? Number.POSITIVE_INFINITY : Math.max(difference, off);
        });
      }
    }
    if (difference > TOLERANCE) {
      throw new Error(`it computes wrong: pixels differ by ${difference.toPrecision(2)} from ganglion sample`);
    }
    this.difference = difference;
    const noise = [noiseOf(seed, 0, data.latent)];
    await this.draw(noise); // compiles
    const started = performance.now();
    await this.draw(noise);
    this.milliseconds = performance.now() - started;
  }
}

/** The graphics processor is taken away, as a phone does with a page that is not seen: it would draw black, or never. */
function lossOfBackend(): Loss {
  const { gpgpu, device } = tf.backend() as {
    gpgpu?: { gl: WebGL2RenderingContext };
    device?: { lost: Promise<unknown> };
  };
  const loss = new Loss();
  const lose = (): void => loss.happened(new Error('the browser has taken it away'));
  gpgpu?.gl.canvas.addEventListener('webglcontextlost', lose);
  void device?.lost.then(lose);
  return loss;
}

async function hasWebGpu(): Promise<boolean> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } };
  return Boolean(await gpu?.requestAdapter());
}
