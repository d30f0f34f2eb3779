// The operations of ops.ts by kernels of tfjs-core: each node of a graph becomes a function from tensors to tensors, made once.
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Attribute, GraphNode, Shape } from '../../../shared/model/graph.ts';
import { batchNorm, batchNormGradient, fixedBatchNorm, type Norm } from './batch-norm-kernels.ts';
import type { Constants } from './constants.ts';
import type { PlannedNode } from './portable-plan.ts';
import * as kernel from './tfjs-ops.ts';

/** From the inputs of a node to its output, or to its outputs in their order; the last ones may be left out where nobody reads them. */
export type Evaluate = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

/** What a program is compiled for. */
export interface Target {
  readonly constants: Constants;
}

/** Of every convolution of the model. */
const STRIDE = 2;

type Compile = (node: PlannedNode, target: Target) => Evaluate;

type Value<Kind> = Extract<Attribute, { kind: Kind }>['value'];

function attribute<Kind extends Attribute['kind']>(
  { name, attributes }: GraphNode,
  key: string,
  kind: Kind,
): Value<Kind> {
  const found = attributes[key];
  if (found?.kind !== kind) throw new Error(`node ${name}: expected an attribute ${key} of kind ${kind}`);
  return found.value as Value<Kind>;
}

function outputShape({ name, outputs: [output] }: GraphNode): Shape {
  if (!output) throw new Error(`node ${name} has no output`);
  return output.shape;
}

/** Pixels of padding on every side, as ops.ts writes them. @throws Error where the stride is not that of the model's convolutions */
function paddingOf(node: GraphNode): number {
  const [, stride] = attribute(node, 'strides', 'ints');
  if (stride !== STRIDE) throw new Error(`node ${node.name}: expected stride ${STRIDE}, got ${stride}`);
  const padding = attribute(node, 'padding', 'text');
  if (padding === 'SAME') return 1;
  return padding === 'VALID' ? 0 : (attribute(node, 'explicit_paddings', 'ints')[2] ?? 0);
}

function normOf(node: PlannedNode, { constants }: Target): Norm {
  const epsilon = attribute(node, 'epsilon', 'float');
  return { epsilon, activation: node.thenRelu ? 'relu' : 'linear', constants };
}

/** x where it is above 0, else alpha x. */
const leaky = (x: Tensor, sign: Tensor, alpha: number): Tensor => kernel.multiply(x, kernel.step(sign, alpha));

/** The last axis' sum: that of [B, H, W, C] or [B, C] is a mean times the number of values. */
function channelSum(x: Tensor, constants: Constants): Tensor {
  const mean = kernel.channelMean(x);
  return kernel.multiply(mean, constants.scalar(x.size / mean.size));
}

/** Every operation of ops.ts. */
export const PORTABLE_OPERATIONS: Readonly<Record<string, Compile>> = {
  AddV2: () => kernel.add,
  Sub: () => kernel.subtract,
  Mul: () => kernel.multiply,
  Tanh: () => kernel.tanh,
  Sigmoid: () => kernel.sigmoid,
  Relu: () => kernel.relu,
  TanhGrad:
    (_, { constants }) =>
    (y, dy) =>
      kernel.multiply(dy, kernel.subtract(constants.scalar(1), kernel.square(y))),
  ReluGrad: () => (dy, y) => kernel.multiply(dy, kernel.step(y, 0)),
  LeakyRelu: (node) => {
    const alpha = attribute(node, 'alpha', 'float');
    return (x) => leaky(x, x, alpha);
  },
  LeakyReluGrad: (node) => {
    const alpha = attribute(node, 'alpha', 'float');
    return (dy, y) => leaky(dy, y, alpha);
  },
  Reshape: (node) => (x) => kernel.reshape(x, outputShape(node)),
  Pad: ({ inputValues: [, values] }) => {
    const pairs = Array.from(
      { length: (values?.length ?? 0) / 2 },
      (_, i) => [values?.[2 * i] ?? 0, values?.[2 * i + 1] ?? 0] as const,
    );
    return (x) => kernel.pad(x, pairs);
  },
  MatMul: (node) => {
    const [transposeA, transposeB] = [attribute(node, 'transpose_a', 'bool'), attribute(node, 'transpose_b', 'bool')];
    return (a, b) =>
      kernel.matMul(transposeA ? kernel.transpose(a, [1, 0]) : a, transposeB ? kernel.transpose(b, [1, 0]) : b);
  },
  Conv2D: (node) => {
    const padding = paddingOf(node);
    return (x, filter) => kernel.convolution(x, filter, STRIDE, padding);
  },
  Conv2DBackpropInput: (node) => {
    const [padding, shape] = [paddingOf(node), outputShape(node)];
    return (_, filter, dy) => kernel.convolutionInputGradient(dy, filter, STRIDE, padding, shape);
  },
  Conv2DBackpropFilter: (node) => {
    const [padding, shape] = [paddingOf(node), outputShape(node)];
    return (x, _, dy) => kernel.convolutionFilterGradient(x, dy, STRIDE, padding, shape);
  },
  BiasAdd:
    (_, { constants }) =>
    (x, bias) =>
      x.rank === 4 ? kernel.scaleAndShift(x, constants.filled(bias.shape, 1), bias) : kernel.add(x, bias),
  BiasAddGrad:
    (_, { constants }) =>
    (dy) =>
      channelSum(dy, constants),
  FusedBatchNormV3: (node, target) => {
    const norm = normOf(node, target);
    if (!attribute(node, 'is_training', 'bool')) {
      return (x, scale, offset, mean, variance) => [fixedBatchNorm(x, [scale, offset, mean, variance], norm)];
    }
    // The three reserved outputs are what this executor's own gradient needs.
    return (x, scale, offset) => {
      const { y, mean, variance, centred, inverse, factor } = batchNorm(x, scale, offset, norm);
      return [y, mean, variance, centred, inverse, factor];
    };
  },
  FusedBatchNormGradV3:
    (_, { constants }) =>
    (dy, _x, _scale, centred, inverse, factor) => {
      const { dx, dScale, dOffset } = batchNormGradient(dy, { centred, inverse, factor }, constants);
      return [dx, dScale, dOffset];
    },
};
