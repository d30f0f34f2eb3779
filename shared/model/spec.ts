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

/** Sides of images, in pixels, that there are models for. */
export const IMAGE_SIDES = [28, 32, 64] as const;
export type ImageSide = (typeof IMAGE_SIDES)[number];

/** Which member of the family. */
export interface ModelChoice {
  /** Length of z, at least 1. */
  readonly latentSize: number;
  readonly imageSize: ImageSide;
  /** Channels of an image: grey or colour. */
  readonly channels: 1 | 3;
  /** Factor on the channels of all layers, 1 for the defaults; {@link describeWidth} says which there are. */
  readonly width: number;
}

/** What is known of a size of images. */
interface Stack {
  /** Layers of a net between its last, or first, at the images and z, or the logit. */
  readonly levels: number;
  /** Channels of the layer at the images. */
  readonly generator: number;
  readonly discriminator: number;
  /** Margin of the layer at the images. */
  readonly margin: number;
  /** Whether the discriminator has biases. */
  readonly bias: boolean;
}

const STACKS: Readonly<Record<ImageSide, Stack>> = {
  28: { levels: 3, generator: 32, discriminator: 16, margin: 3, bias: true },
  32: { levels: 3, generator: 64, discriminator: 64, margin: 1, bias: false },
  64: { levels: 4, generator: 64, discriminator: 64, margin: 1, bias: false },
};
/** Kernels take vectors of this many channels, and have room for so many. */
const [CHANNELS, MOST_CHANNELS] = [16, 1024];

/** @returns what was expected of the width, where there is no model of it; else undefined */
export function describeWidth({ imageSize, width }: Pick<ModelChoice, 'imageSize' | 'width'>): string | undefined {
  const { levels, generator, discriminator } = STACKS[imageSize];
  const step = CHANNELS / Math.min(generator, discriminator);
  const most = MOST_CHANNELS / (Math.max(generator, discriminator) * 2 ** (levels - 1));
  if (width >= step && width <= most && Number.isInteger(width / step)) return undefined;
  return `expected a multiple of ${step} up to ${most} at ${imageSize} pixels`;
}

/**
 * The DCGAN of Radford et al. 2015: at 64 pixels that of PyTorch's tutorial, at 32 one level less, at 28 a smaller one for digits. Sides
 * double from 4 x 4; channels halve towards the images. BatchNorm is on all layers but those at the images and the logit.
 *
 * @throws Error for a width that {@link describeWidth} has words for
 */
export function dcgan(choice: ModelChoice): ModelSpec {
  const { latentSize, imageSize, channels, width } = choice;
  const wrong = describeWidth(choice);
  if (wrong !== undefined) throw new Error(`width ${width}: ${wrong}`);
  const { levels, margin, bias, ...base } = STACKS[imageSize];
  const relu = { kind: 'relu' } as const;
  const tanh = { kind: 'tanh' } as const;
  const leaky = { kind: 'leakyRelu', slope: 0.2 } as const;
  const logit = { stride: 1, padding: 0, norm: false, activation: { kind: 'none' } } as const;
  const up = { kind: 'transposedConvolution', kernel: 4, stride: 2, padding: 1, bias: false, norm: true } as const;
  const down = { kind: 'convolution', kernel: 4, stride: 2, padding: 1, bias, norm: true, activation: leaky } as const;
  /** Channels of features; those of level 0 are nearest to the images. */
  const of = (net: keyof typeof base, level: number): number => base[net] * width * 2 ** level;
  const inner = Array.from({ length: levels - 1 }, (_, level) => level);
  return {
    latentSize,
    epsilon: 1e-5, // PyTorch's default
    generator: [
      { ...up, inputs: latentSize, outputs: of('generator', levels - 1), stride: 1, padding: 0, activation: relu },
      ...inner.toReversed().map((level) => {
        return { ...up, inputs: of('generator', level + 1), outputs: of('generator', level), activation: relu };
      }),
      { ...up, inputs: of('generator', 0), outputs: channels, padding: margin, norm: false, activation: tanh },
    ],
    discriminator: [
      { ...down, inputs: channels, outputs: of('discriminator', 0), padding: margin, norm: false },
      ...inner.map((level) => {
        return { ...down, inputs: of('discriminator', level), outputs: of('discriminator', level + 1) };
      }),
      { ...down, ...logit, inputs: of('discriminator', levels - 1), outputs: 1 },
    ],
  };
}

/** The seed's model: grey digits of 28 x 28 pixels. @param latentSize length of z, at least 1 */
export const dcgan28 = (latentSize: number): ModelSpec => dcgan({ latentSize, imageSize: 28, channels: 1, width: 1 });

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
