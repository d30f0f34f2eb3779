// The parameters of both nets: names and shapes in PyTorch's layout (checkpoints) and in TensorFlow's (replicas), and where
// each lies in the flat vector of its net. Everything that is measured in parameters derives from these tables.

export type Net = 'generator' | 'discriminator';
export type Phase = Net;
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

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const WEIGHT: Initial = { kind: 'normal', mean: 0, deviation: 0.02 };
const GAMMA: Initial = { kind: 'normal', mean: 1, deviation: 0.02 };

/** Transposed convolution: PyTorch [in, out, h, w], TensorFlow [h, w, out, in]. */
const transposed = (index: number, input: number, output: number): Draft => ({
  name: `main.${index}.weight`,
  torchShape: [input, output, 4, 4],
  shape: [4, 4, output, input],
  fromTorch: [2, 3, 1, 0],
  initial: WEIGHT,
  trained: true,
});

/** Convolution with bias: PyTorch [out, in, h, w], TensorFlow [h, w, in, out]. */
const convolution = (index: number, input: number, output: number, biasTrained: boolean): Draft[] => [
  {
    name: `main.${index}.weight`,
    torchShape: [output, input, 4, 4],
    shape: [4, 4, input, output],
    fromTorch: [2, 3, 1, 0],
    initial: WEIGHT,
    trained: true,
  },
  {
    name: `main.${index}.bias`,
    torchShape: [output],
    shape: [output],
    fromTorch: [0],
    initial: { kind: 'uniform', bound: 1 / Math.sqrt(input * 16) },
    trained: biasTrained,
  },
];

const norm = (index: number, channels: number): Draft[] => [
  {
    name: `main.${index}.weight`,
    torchShape: [channels],
    shape: [channels],
    fromTorch: [0],
    initial: GAMMA,
    trained: true,
  },
  {
    name: `main.${index}.bias`,
    torchShape: [channels],
    shape: [channels],
    fromTorch: [0],
    initial: { kind: 'zero' },
    trained: true,
  },
];

function toLayout(net: Net, drafts: readonly Draft[], norms: readonly [name: string, channels: number][]): NetLayout {
  let offset = 0;
  const parameters = drafts.map((draft) => {
    const size = product(draft.shape);
    const parameter = { ...draft, net, offset, size };
    offset += size;
    return parameter;
  });
  let statistics = 0;
  const layers = norms.map(([name, channels]) => {
    const layer = { name, net, channels, offset: statistics };
    statistics += 2 * channels;
    return layer;
  });
  return { net, parameters, parameterCount: offset, norms: layers, statisticsCount: statistics };
}

/**
 * Layout of both nets.
 *
 * @param latent length of the noise vector z, at least 1
 */
export function layoutOf(net: Net, latent: number): NetLayout {
  if (net === 'generator') {
    const first: Draft = {
      // A transposed convolution on one pixel is a product of matrices: [latent, h * w * out].
      name: 'main.0.weight',
      torchShape: [latent, 128, 4, 4],
      shape: [latent, 4 * 4 * 128],
      fromTorch: [0, 2, 3, 1],
      initial: WEIGHT,
      trained: true,
    };
    return toLayout(
      net,
      [
        first,
        ...norm(1, 128),
        transposed(3, 128, 64),
        ...norm(4, 64),
        transposed(6, 64, 32),
        ...norm(7, 32),
        transposed(9, 32, 1),
      ],
      [
        ['main.1', 128],
        ['main.4', 64],
        ['main.7', 32],
      ],
    );
  }
  return toLayout(
    net,
    [
      ...convolution(0, 1, 16, true),
      ...convolution(2, 16, 32, false),
      ...norm(3, 32),
      ...convolution(5, 32, 64, false),
      ...norm(6, 64),
      ...convolution(8, 64, 1, true).map((parameter) =>
        // One output pixel: [h * w * in, 1], the same bytes as [h, w, in, 1].
        parameter.shape.length === 4 ? { ...parameter, shape: [1024, 1] } : parameter,
      ),
    ],
    [
      ['main.3', 32],
      ['main.6', 64],
    ],
  );
}
