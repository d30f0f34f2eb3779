// The generator in plain JavaScript, layer by layer, for a browser without WebAssembly's vectors: as fast as it need be for one image, and with
// other last bits than the kernels, which add up in another order.
import { generatorLayers, type ModelSpec, type PlacedLayer } from '../../shared/model/spec.ts';
import type { Executor } from '../../workers/engines/executor.ts';

/** Draws one image by the inputs of the sampling program on running statistics. */
export function plainGenerator(spec: ModelSpec): Pick<Executor, 'run'> {
  const layers = generatorLayers(spec);
  return {
    async run(inputs) {
      const read = (name: string): Float32Array => {
        const values = inputs[name];
        if (!values) throw new Error(`the generator has no ${name}`);
        return values;
      };
      let x = read('z');
      for (const layer of layers) x = activate(layer, normalise(layer, spec.epsilon, read, transposed(layer, read, x)));
      return { images: x };
    },
  };
}

/** Transposed convolution of one image, x [h, w, I] -> [H, W, O]: every value of x adds the filter's window to the output. */
function transposed(layer: PlacedLayer, read: (name: string) => Float32Array, x: Float32Array): Float32Array {
  const { name, kernel, stride, padding, isProduct } = layer;
  const [h, w, I] = layer.inputShape;
  const [H, W, O] = layer.outputShape;
  const filter = read(`generator/${name}.weight`); // [k, l, O, I], of a product [I, k, l, O]
  const [perInput, perOutput] = isProduct ? [kernel * kernel * O, 1] : [1, I];
  const perPlace = O * perOutput;
  const y = new Float64Array(H * W * O);
  for (let row = 0; row < h; row++) {
    for (let column = 0; column < w; column++) {
      const from = (row * w + column) * I;
      for (let k = 0; k < kernel; k++) {
        const Y = row * stride - padding + k;
        if (Y < 0 || Y >= H) continue;
        for (let l = 0; l < kernel; l++) {
          const X = column * stride - padding + l;
          if (X < 0 || X >= W) continue;
          const to = (Y * W + X) * O;
          const place = (k * kernel + l) * perPlace;
          for (let o = 0; o < O; o++) {
            let sum = 0;
            for (let i = 0; i < I; i++) {
              sum += (x[from + i] ?? 0) * (filter[place + o * perOutput + i * perInput] ?? 0);
            }
            y[to + o] = (y[to + o] ?? 0) + sum;
          }
        }
      }
    }
  }
  return Float32Array.from(y);
}

/** BatchNorm on running statistics, where the layer has one. */
function normalise(
  { normName, outputs }: PlacedLayer,
  epsilon: number,
  read: (name: string) => Float32Array,
  x: Float32Array,
): Float32Array {
  if (normName === undefined) return x;
  const [weight, bias] = [read(`generator/${normName}.weight`), read(`generator/${normName}.bias`)];
  const [mean, variance] = [read(`running/${normName}.mean`), read(`running/${normName}.variance`)];
  const scale = Array.from(weight, (value, channel) => value / Math.sqrt((variance[channel] ?? 0) + epsilon));
  return x.map((value, i) => {
    const channel = i % outputs;
    return (value - (mean[channel] ?? 0)) * (scale[channel] ?? 0) + (bias[channel] ?? 0);
  });
}

function activate({ activation }: PlacedLayer, x: Float32Array): Float32Array {
  switch (activation.kind) {
    case 'none':
      return x;
    case 'relu':
      return x.map((value) => Math.max(0, value));
    case 'leakyRelu':
      return x.map((value) => (value > 0 ? value : activation.slope * value));
    case 'tanh':
      return x.map(Math.tanh);
  }
}
