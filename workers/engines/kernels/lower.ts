// Lowers the nodes of a program to calls of kernels. Patterns of nodes become one call where it saves a pass over memory. A program with
// a node that no kernel computes cannot be lowered.
import { type Attribute, type GraphNode, nodeOf, type Shape } from '../../../shared/model/graph.ts';
import { sizeOf } from '../../../shared/model/shape.ts';

/** One call of a kernel on tensors, before they have their places in memory. */
export interface KernelCall {
  readonly kernel: string;
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly sizes: readonly number[];
  readonly value: number;
}

const NO_SLOPE = 1;
/** What the kernels are written for. */
const [KERNEL, STRIDE, EPSILON] = [4, 2, 1e-5];

function numberOf(attribute: Attribute | undefined): number | undefined {
  return attribute?.kind === 'float' || attribute?.kind === 'int' ? attribute.value : undefined;
}

/** Slope of the activation that a node is, or is the gradient of; undefined for other nodes. */
function slopeOf({ op, attributes }: GraphNode): number | undefined {
  if (op === 'Relu' || op === 'ReluGrad') return 0;
  return op === 'LeakyRelu' || op === 'LeakyReluGrad' ? numberOf(attributes.alpha) : undefined;
}

/** Turns nodes into calls, one after another. */
class Lowering {
  readonly calls: KernelCall[] = [];
  readonly #nodes: ReadonlyMap<string, GraphNode>;
  readonly #readers = new Map<string, GraphNode[]>();
  readonly #outputs: ReadonlySet<string>;
  /** Tensors that are others in another shape. */
  readonly #same = new Map<string, string>();
  /** Nodes that are part of another's call. */
  readonly #done = new Set<string>();

  constructor(nodes: readonly GraphNode[], outputs: ReadonlySet<string>) {
    this.#nodes = new Map(nodes.map((node) => [node.name, node]));
    this.#outputs = outputs;
    for (const node of nodes) {
      for (const input of node.inputs) this.#readers.set(input, [...(this.#readers.get(input) ?? []), node]);
    }
  }

  /** The tensor that holds the values of `tensor`: its own, or that of another shape. */
  resolve(tensor: string): string {
    const same = this.#same.get(tensor);
    return same === undefined ? tensor : this.resolve(same);
  }

  shape(tensor: string): Shape {
    const shape = this.#nodes.get(nodeOf(tensor))?.outputs[Number(tensor.slice(tensor.lastIndexOf(':') + 1))]?.shape;
    if (!shape) throw new Error(`no tensor ${tensor}`);
    return shape;
  }

  /** @returns whether there is a kernel for the node */
  add(node: GraphNode): boolean {
    if (this.#done.has(node.name)) return true;
    const { op, name, inputs, outputs } = node;
    const [a = '', b = '', c = ''] = inputs;
    const y = `${name}:0`;
    const size = sizeOf(outputs[0]?.shape ?? []);
    switch (op) {
      case 'Placeholder':
      case 'Const':
        return true;
      case 'Reshape':
        this.#same.set(y, a);
        return true;
      case 'Pad':
        // the filter gradient makes its own margin
        return this.#readersOf(y).every((reader) => reader.op === 'Conv2DBackpropFilter');
      case 'MatMul':
        return this.#addProduct(node);
      case 'Conv2D':
        return this.#addConvolution('convolve', node, { large: a, filter: b, small: y }, [a, b]);
      case 'Conv2DBackpropInput':
        return this.#addConvolution('convolveTransposed', node, { large: y, filter: b, small: c }, [c, b]);
      case 'Conv2DBackpropFilter': {
        const padding = this.#nodes.get(nodeOf(a));
        const images = padding?.op === 'Pad' ? (padding.inputs[0] ?? '') : a;
        return this.#addConvolution('convolveFilter', node, { large: images, filter: y, small: c }, [images, c]);
      }
      case 'FusedBatchNormV3':
        return this.#addNorm(node);
      case 'FusedBatchNormGradV3':
        return this.#addNormGradient(node);
      case 'BiasAdd': {
        const activation = this.#activationAfter(y);
        const [out, slope] = activation ? [`${activation.name}:0`, slopeOf(activation) ?? NO_SLOPE] : [y, NO_SLOPE];
        if (activation) this.#done.add(activation.name);
        return this.#emit('addBias', [a, b], [out], pixelsOf(this.shape(a)), slope);
      }
      case 'BiasAddGrad':
        return size === 1 && this.#emit('sumAll', [a], [y], [sizeOf(this.shape(a))]);
      case 'ReluGrad':
      case 'LeakyReluGrad':
        return this.#addActivationGradient(node);
      case 'Relu':
      case 'LeakyRelu':
        return this.#emit('activate', [a], [y], [size], slopeOf(node) ?? NO_SLOPE);
      case 'Tanh':
        return this.#emit('tanh', [a], [y], [size]);
      case 'Sigmoid':
        return this.#emit('sigmoid', [a], [y], [size]);
      case 'TanhGrad':
        return this.#emit('tanhGradient', [a, b], [y], [size]);
      case 'AddV2':
        return this.shape(b).length > 0 && this.#emit('add', [a, b], [y], [size]);
      case 'Sub':
      case 'Mul': {
        const scalar = this.#scalar(b);
        if (scalar === undefined) return false;
        const [kernel, value] = op === 'Sub' ? ['addScalar', -scalar] : ['multiplyScalar', scalar];
        return this.#emit(kernel as string, [a], [y], [size], value as number);
      }
      default:
        return false;
    }
  }

  #emit(kernel: string, reads: string[], writes: string[], sizes: readonly number[], value = 0): true {
    this.calls.push({ kernel, reads: reads.map((tensor) => this.resolve(tensor)), writes, sizes, value });
    return true;
  }

  #readersOf(tensor: string): readonly GraphNode[] {
    return this.#readers.get(tensor) ?? [];
  }

  #scalar(tensor: string): number | undefined {
    const value = this.#nodes.get(nodeOf(tensor))?.attributes.value;
    return value?.kind === 'tensor' && value.value.length === 1 ? value.value[0] : undefined;
  }

  /** The activation that alone reads a tensor. */
  #activationAfter(tensor: string): GraphNode | undefined {
    const [reader, ...others] = this.#readersOf(tensor);
    const isActivation = reader?.op === 'Relu' || reader?.op === 'LeakyRelu';
    return isActivation && others.length === 0 && !this.#outputs.has(tensor) ? reader : undefined;
  }

  #addProduct(node: GraphNode): boolean {
    const { transpose_a: first, transpose_b: second } = node.attributes;
    const isSet = (attribute: Attribute | undefined): boolean => attribute?.kind === 'bool' && attribute.value;
    const [a = '', b = ''] = node.inputs;
    const [rows = 0, columns = 0] = this.shape(a);
    const [M, K] = isSet(first) ? [columns, rows] : [rows, columns];
    const N = node.outputs[0]?.shape[1] ?? 0;
    if (isSet(first) && isSet(second)) return false;
    const kernel = isSet(first) ? 'multiplyTransposedA' : isSet(second) ? 'multiplyTransposedB' : 'multiply';
    return this.#emit(kernel, [a, b], [`${node.name}:0`], [M, K, N]);
  }

  #addConvolution(
    kernel: string,
    { name, attributes }: GraphNode,
    tensors: { large: string; filter: string; small: string },
    reads: string[],
  ): boolean {
    const [batch = 0, side = 0, width] = this.shape(tensors.large);
    const [rows, columns, inner = 0, outer = 0] = this.shape(tensors.filter);
    const { strides } = attributes;
    const stride = strides?.kind === 'ints' ? strides.value[1] : undefined;
    if (rows !== KERNEL || columns !== KERNEL || stride !== STRIDE) return false;
    const [, height, smallWidth] = this.shape(tensors.small);
    // Kernels have the margins that the model has, 3 for images of 28 pixels, else 1; any other gives another side.
    const small = (side + 2 * (side === 28 ? 3 : 1) - KERNEL) / STRIDE + 1;
    if (side !== width || small !== height || small !== smallWidth) return false;
    return this.#emit(kernel, reads, [`${name}:0`], [side, inner, outer, batch]);
  }

  #addNorm({ name, inputs, attributes }: GraphNode): boolean {
    const [x = '', weight = '', bias = '', mean = '', variance = ''] = inputs;
    const activation = this.#activationAfter(`${name}:0`);
    if (activation) this.#done.add(activation.name);
    const y = activation ? `${activation.name}:0` : `${name}:0`;
    const slope = (activation && slopeOf(activation)) ?? NO_SLOPE;
    const sizes = pixelsOf(this.shape(x));
    const training = attributes.is_training;
    if (training?.kind !== 'bool' || numberOf(attributes.epsilon) !== EPSILON) return false;
    if (!training.value) return this.#emit('normaliseFixed', [x, weight, bias, mean, variance], [y], sizes, slope);
    // reserved for the gradient: the mean, which is the second output, and the inverse of the standard deviation
    this.#same.set(`${name}:3`, `${name}:1`);
    const statistics = [1, 2, 4].map((output) => `${name}:${output}`);
    return this.#emit('normalise', [x, weight, bias], [y, ...statistics], sizes, slope);
  }

  #addNormGradient({ name, inputs }: GraphNode): boolean {
    const [dy = '', x = '', weight = '', mean = '', inverse = ''] = inputs;
    const activation = this.#nodes.get(nodeOf(dy));
    const slope = activation && slopeOf(activation);
    const isWithin = activation !== undefined && slope !== undefined && this.#isWithin(activation);
    const [outer = '', output = ''] = isWithin ? activation.inputs : [dy, x];
    const writes = [0, 1, 2].map((index) => `${name}:${index}`);
    const sizes = pixelsOf(this.shape(x));
    return this.#emit(
      'normaliseGradient',
      [outer, output, x, weight, mean, inverse],
      writes,
      sizes,
      isWithin ? slope : NO_SLOPE,
    );
  }

  /** Whether the gradient of an activation is part of the call of its only reader, the gradient of a BatchNorm. */
  #isWithin({ name, op }: GraphNode): boolean {
    const dx = `${name}:0`;
    const [reader, ...others] = this.#readersOf(dx);
    const isGradient = op === 'ReluGrad' || op === 'LeakyReluGrad';
    const isRead = reader?.op === 'FusedBatchNormGradV3' && reader.inputs[0] === dx && others.length === 0;
    return isGradient && isRead && !this.#outputs.has(dx);
  }

  #addActivationGradient(node: GraphNode): boolean {
    if (this.#isWithin(node)) return true;
    const [dy = '', y = ''] = node.inputs;
    const dx = `${node.name}:0`;
    const slope = slopeOf(node) ?? NO_SLOPE;
    const bias = this.#readersOf(dx).find(({ op }) => op === 'BiasAddGrad');
    if (!bias) return this.#emit('activateGradient', [dy, y], [dx], [sizeOf(this.shape(dx))], slope);
    this.#done.add(bias.name);
    return this.#emit('addBiasGradient', [dy, y], [dx, `${bias.name}:0`], pixelsOf(this.shape(dx)), slope);
  }
}

/** Pixels and channels of [..., C]. */
function pixelsOf(shape: Shape): [pixels: number, channels: number] {
  const channels = shape.at(-1) ?? 0;
  return [sizeOf(shape) / channels, channels];
}

/** The kernel calls of a program, and what is known of its tensors. */
export interface LoweredProgram {
  /** In the order of the nodes. */
  readonly calls: readonly KernelCall[];
  /** The tensor that holds the values of another: its own, or one of another shape. */
  resolve(tensor: string): string;
  shape(tensor: string): Shape;
}

/**
 * Lowers nodes to calls of kernels.
 *
 * @param nodes in topological order
 * @param outputs tensors that must be given as they are: no pattern swallows them
 * @returns undefined when a node has no kernel
 */
export function lowerToKernels(nodes: readonly GraphNode[], outputs: ReadonlySet<string>): LoweredProgram | undefined {
  const lowering = new Lowering(nodes, outputs);
  return nodes.every((node) => lowering.add(node)) ? lowering : undefined;
}
