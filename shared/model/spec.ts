// The model as data: two stacks of layers. This is the only place that knows sizes of images and layers; parameters, graphs,
// checkpoints, the export and the pages derive from it. A spec is a plain object, which a replica gets in a message.

/** What follows a layer's convolution and BatchNorm. `none` leaves values as they are. */
export type Activation =
  | { readonly kind: 'none' | 'relu' | 'tanh' }
  /** x where x > 0, else `slope` x. */
  | { readonly kind: 'leakyRelu'; readonly slope: number };

/** One layer of a stack: a convolution, then BatchNorm, then an activation. */
export interface Layer {
  readonly kind: 'convolution' | 'transposedConvolution';
  /** Channels of the input and of the output. */
  readonly inputs: number;
  readonly outputs: number;
  /** Height and width of the filter. */
  readonly kernel: number;
  readonly stride: number;
  /** Pixels on every side: zeros around a convolution's input, or cut off a transposed convolution's output, as in PyTorch. */
  readonly padding: number;
  readonly bias: boolean;
  /** Whether BatchNorm follows. It cancels the bias, which is then not trained. */
  readonly norm: boolean;
  readonly activation: Activation;
}

/** A generator and a discriminator. */
export interface ModelSpec {
  /** Length of the noise vector z, at least 1. */
  readonly latentSize: number;
  /** Added to the variance in every BatchNorm. */
  readonly epsilon: number;
  /** From z, as one pixel of `latentSize` channels, to an image in [-1, 1]. */
  readonly generator: readonly Layer[];
  /** From an image to one logit. */
  readonly discriminator: readonly Layer[];
}

/** Height, width and channels of an image or a layer's output. */
export type ImageShape = readonly [height: number, width: number, channels: number];

/** A layer in its place. */
export interface PlacedLayer extends Layer {
  /** Name of the convolution in PyTorch's `Sequential`, whose modules are numbered: `main.3`. */
  readonly name: string;
  /** Name of the BatchNorm, `main.4`; undefined where there is none. */
  readonly normName: string | undefined;
  readonly inputShape: ImageShape;
  readonly outputShape: ImageShape;
  /** Whether the convolution meets its one-pixel side in one place only: it is a product of matrices then. */
  readonly isProduct: boolean;
}

/**
 * The DCGAN of Radford et al. 2015 for digits of 28 x 28 pixels, which the C++ kernels are made for.
 *
 * @param latentSize length of z, at least 1
 */
export function dcgan28(latentSize: number): ModelSpec {
  const none = { kind: 'none' } as const;
  const relu = { kind: 'relu' } as const;
  const leaky = { kind: 'leakyRelu', slope: 0.2 } as const;
  const up = { kind: 'transposedConvolution', kernel: 4, stride: 2, padding: 1, bias: false, norm: true } as const;
  const down = { kind: 'convolution', kernel: 4, stride: 2, padding: 1, bias: true, norm: true } as const;
  return {
    latentSize,
    epsilon: 1e-5, // PyTorch's default
    generator: [
      { ...up, inputs: latentSize, outputs: 128, stride: 1, padding: 0, activation: relu },
      { ...up, inputs: 128, outputs: 64, activation: relu },
      { ...up, inputs: 64, outputs: 32, activation: relu },
      { ...up, inputs: 32, outputs: 1, padding: 3, norm: false, activation: { kind: 'tanh' } },
    ],
    discriminator: [
      { ...down, inputs: 1, outputs: 16, padding: 3, norm: false, activation: leaky },
      { ...down, inputs: 16, outputs: 32, activation: leaky },
      { ...down, inputs: 32, outputs: 64, activation: leaky },
      { ...down, inputs: 64, outputs: 1, stride: 1, padding: 0, norm: false, activation: none },
    ],
  };
}

/** Side of a layer's output, from that of its input. */
function outputSide({ kind, kernel, stride, padding }: Layer, side: number): number {
  if (kind === 'transposedConvolution') return (side - 1) * stride + kernel - 2 * padding;
  return Math.floor((side + 2 * padding - kernel) / stride) + 1;
}

function place(layers: readonly Layer[], input: ImageShape): PlacedLayer[] {
  let module = 0;
  let inputShape = input;
  return layers.map((layer) => {
    const [height, width] = inputShape;
    const outputShape: ImageShape = [outputSide(layer, height), outputSide(layer, width), layer.outputs];
    const small = layer.kind === 'convolution' ? outputShape : inputShape;
    const placed = {
      ...layer,
      name: `main.${module}`,
      normName: layer.norm ? `main.${module + 1}` : undefined,
      inputShape,
      outputShape,
      isProduct: small[0] === 1 && small[1] === 1 && layer.padding === 0,
    };
    module += 1 + (layer.norm ? 1 : 0) + (layer.activation.kind === 'none' ? 0 : 1);
    inputShape = outputShape;
    return placed;
  });
}

/** Layers of the generator, in their order. */
export function generatorLayers(spec: ModelSpec): PlacedLayer[] {
  return place(spec.generator, [1, 1, spec.latentSize]);
}

/** Layers of the discriminator, in their order. */
export function discriminatorLayers(spec: ModelSpec): PlacedLayer[] {
  return place(spec.discriminator, imageShapeOf(spec));
}

/** Shape of an image: what the generator's last layer gives. */
export function imageShapeOf(spec: ModelSpec): ImageShape {
  return generatorLayers(spec).at(-1)?.outputShape ?? [1, 1, spec.latentSize];
}

/** Values of an image: height * width * channels. */
export function imageSizeOf(spec: ModelSpec): number {
  const [height, width, channels] = imageShapeOf(spec);
  return height * width * channels;
}
