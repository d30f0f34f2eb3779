// The parameters of both nets, derived from the spec: names and shapes in PyTorch's layout (checkpoints) and in TensorFlow's (replicas), and where
// each lies in the flat vector of its net. Everything that is measured in parameters derives from these tables.

import { sizeOf } from './shape.ts';
import { discriminatorLayers, generatorLayers, type ModelSpec, type PlacedLayer } from './spec.ts';

export type Net = 'generator' | 'discriminator';
export type Phase = Net;
/** The phases of a step, in their order. */
export const PHASES: readonly Phase[] = ['discriminator', 'generator'];
/**
 * What a replica computes of a shard in one call: D on `real` images and D on `fake` ones, which make up the discriminator phase,
 * or the `generator` phase. A pass over real images needs the generator in no way, so it may run before the generator is updated.
 */
export type Pass = 'real' | 'fake' | 'generator';

/** The passes of a phase; what they give is added up. */
export const PASSES: Readonly<Record<Phase, readonly Pass[]>> = {
  discriminator: ['real', 'fake'],
  generator: ['generator'],
};

export function phaseOf(pass: Pass): Phase {
  return pass === 'generator' ? 'generator' : 'discriminator';
}

/** How a parameter is drawn at the start of a run (DCGAN, Radford et al. 2015; biases as PyTorch's default). */
export type Initial =
  | { readonly kind: 'normal'; readonly mean: number; readonly deviation: number }
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'zero' };

export interface Parameter {
  /** Name in PyTorch's state dictionary of the net, as in pytorch/examples/dcgan: `main.0.weight`. */
  readonly name: string;
  readonly net: Net;
  /** Shape in PyTorch's layout. */
  readonly torchShape: readonly number[];
  /** Shape in TensorFlow's layout, as the graphs take it. */
  readonly shape: readonly number[];
  /** `shape[i] = torchShape[fromTorch[i]]` before merging dimensions. */
  readonly fromTorch: readonly number[];
  readonly offset: number;
  readonly size: number;
  readonly initial: Initial;
  /** False for the two biases that a BatchNorm cancels: their gradient is zero and they keep their initial values. */
  readonly trained: boolean;
}

/** A BatchNorm layer, for its running statistics. */
export interface NormLayer {
  /** Name of the module in PyTorch: `main.1`. */
  readonly name: string;
  readonly net: Net;
  readonly channels: number;
  /** Offset of the running mean in the net's statistics vector; the running variance follows it. */
  readonly offset: number;
}

export interface NetLayout {
  readonly net: Net;
  readonly parameters: readonly Parameter[];
  readonly parameterCount: number;
  readonly norms: readonly NormLayer[];
  /** Length of the vector of running statistics: mean and variance of every BatchNorm layer. */
  readonly statisticsCount: number;
}

type Draft = Omit<Parameter, 'net' | 'offset' | 'size'>;

const WEIGHT: Initial = { kind: 'normal', mean: 0, deviation: 0.02 };
const GAMMA: Initial = { kind: 'normal', mean: 1, deviation: 0.02 };

const vector = (name: string, size: number, initial: Initial, trained = true): Draft => ({
  name,
  torchShape: [size],
  shape: [size],
  fromTorch: [0],
  initial,
  trained,
});

/** Filter of a convolution: PyTorch [out, in, h, w], TensorFlow [h, w, in, out]; as a product [h * w * in, out], the same bytes. */
function convolutionFilter({ name, inputs, outputs, kernel, isProduct }: PlacedLayer): Draft {
  const shape = isProduct ? [kernel * kernel * inputs, outputs] : [kernel, kernel, inputs, outputs];
  const torchShape = [outputs, inputs, kernel, kernel];
  return { name: `${name}.weight`, torchShape, shape, fromTorch: [2, 3, 1, 0], initial: WEIGHT, trained: true };
}

/** Filter of a transposed convolution: PyTorch [in, out, h, w], TensorFlow [h, w, out, in]; as a product [in, h * w * out]. */
function transposedFilter({ name, inputs, outputs, kernel, isProduct }: PlacedLayer): Draft {
  const shape = isProduct ? [inputs, kernel * kernel * outputs] : [kernel, kernel, outputs, inputs];
  const fromTorch = isProduct ? [0, 2, 3, 1] : [2, 3, 1, 0];
  const torchShape = [inputs, outputs, kernel, kernel];
  return { name: `${name}.weight`, torchShape, shape, fromTorch, initial: WEIGHT, trained: true };
}

/** Filter, bias, and scale and offset of the BatchNorm. */
function parametersOf(layer: PlacedLayer): Draft[] {
  const { kind, name, normName, inputs, outputs, kernel, bias } = layer;
  const drafts = [kind === 'convolution' ? convolutionFilter(layer) : transposedFilter(layer)];
  const bound = 1 / Math.sqrt(inputs * kernel * kernel);
  if (bias) drafts.push(vector(`${name}.bias`, outputs, { kind: 'uniform', bound }, normName === undefined));
  if (normName !== undefined) {
    drafts.push(vector(`${normName}.weight`, outputs, GAMMA), vector(`${normName}.bias`, outputs, { kind: 'zero' }));
  }
  return drafts;
}

/** Layout of a net. */
export function layoutOf(net: Net, spec: ModelSpec): NetLayout {
  const layers = net === 'generator' ? generatorLayers(spec) : discriminatorLayers(spec);
  let offset = 0;
  const parameters = layers.flatMap(parametersOf).map((draft) => {
    const size = sizeOf(draft.shape);
    const parameter = { ...draft, net, offset, size };
    offset += size;
    return parameter;
  });
  let statistics = 0;
  const norms: NormLayer[] = [];
  for (const { normName, outputs } of layers) {
    if (normName === undefined) continue;
    norms.push({ name: normName, net, channels: outputs, offset: statistics });
    statistics += 2 * outputs;
  }
  return { net, parameters, parameterCount: offset, norms, statisticsCount: statistics };
}
