// The passes of a step and the drawing of samples as programs. Gradients, logits and BatchNorm statistics come out;
// losses are computed from the logits by the replica. Names of outputs: shared/model/phase-vector.ts.

import { discriminate, discriminatorGradients, imageGradient } from './discriminator.ts';
import { generate, generateFixed, generatorGradients } from './generator.ts';
import { Graph, type Tensor } from './graph.ts';
import { layoutOf, type Pass } from './layout.ts';
import { labelOf } from './losses.ts';
import * as op from './ops.ts';
import type { Program } from './program.ts';
import { imageShapeOf, type ModelSpec } from './spec.ts';
import { type NormStatistics, weightsOf } from './weights.ts';

/** Gradient of the mean binary cross-entropy over the batch by the logits: (sigmoid(logit) - label) / B. */
function crossEntropyGradient(graph: Graph, logits: Tensor, label: number): Tensor {
  const batch = logits.shape[0] ?? 0;
  const probability = op.sigmoid(graph, logits);
  const error = label === 0 ? probability : op.subtract(graph, probability, graph.scalar(label));
  return op.multiply(graph, error, graph.scalar(1 / batch));
}

function addStatistics(outputs: Record<string, Tensor>, forward: string, statistics: readonly NormStatistics[]): void {
  for (const { name, mean, variance } of statistics) {
    outputs[`${forward}/${name}.mean`] = mean;
    outputs[`${forward}/${name}.variance`] = variance;
  }
}

function addGradients(outputs: Record<string, Tensor>, gradients: Readonly<Record<string, Tensor>>): void {
  for (const [name, gradient] of Object.entries(gradients)) outputs[`gradient/${name}`] = gradient;
}

/** Discriminator phase of one shard, on real images. @param realLabel of `labelOf` */
function realPass(batch: number, spec: ModelSpec, realLabel?: number): Program {
  const graph = new Graph();
  const inputs: Record<string, Tensor> = {};
  const discriminator = weightsOf(graph, layoutOf('discriminator', spec), inputs);
  const images_BHWC = graph.placeholder('images', [batch, ...imageShapeOf(spec)]);
  const real = discriminate(graph, discriminator, spec, images_BHWC);
  const outputs: Record<string, Tensor> = { logits: real.logits };
  addGradients(
    outputs,
    discriminatorGradients(
      graph,
      discriminator,
      real,
      crossEntropyGradient(graph, real.logits, labelOf('real', realLabel)),
    ),
  );
  addStatistics(outputs, 'real', real.statistics);
  return { name: 'real', graph, inputs: { ...inputs, images: images_BHWC }, outputs };
}

/** Discriminator phase of one shard, on images that the generator makes of noise: BatchNorm statistics of their own. */
function fakePass(batch: number, spec: ModelSpec): Program {
  const graph = new Graph();
  const inputs: Record<string, Tensor> = {};
  const generator = weightsOf(graph, layoutOf('generator', spec), inputs);
  const discriminator = weightsOf(graph, layoutOf('discriminator', spec), inputs);
  const z_BZ = graph.placeholder('z', [batch, spec.latentSize]);
  const fakes = generate(graph, generator, spec, z_BZ);
  const fake = discriminate(graph, discriminator, spec, fakes.images_BHWC);
  const outputs: Record<string, Tensor> = { logits: fake.logits };
  addGradients(
    outputs,
    discriminatorGradients(graph, discriminator, fake, crossEntropyGradient(graph, fake.logits, labelOf('fake'))),
  );
  addStatistics(outputs, 'generator', fakes.statistics);
  addStatistics(outputs, 'fake', fake.statistics);
  return { name: 'fake', graph, inputs: { ...inputs, z: z_BZ }, outputs };
}

/** Generator phase of one shard: fresh noise, non-saturating loss -log D(G(z)). */
function generatorPass(batch: number, spec: ModelSpec): Program {
  const graph = new Graph();
  const inputs: Record<string, Tensor> = {};
  const generator = weightsOf(graph, layoutOf('generator', spec), inputs);
  const discriminator = weightsOf(graph, layoutOf('discriminator', spec), inputs);
  const z_BZ = graph.placeholder('z', [batch, spec.latentSize]);

  const fakes = generate(graph, generator, spec, z_BZ);
  const fake = discriminate(graph, discriminator, spec, fakes.images_BHWC);
  const dImages = imageGradient(
    graph,
    discriminator,
    fake,
    crossEntropyGradient(graph, fake.logits, labelOf('generator')),
  );
  const gradients = generatorGradients(graph, generator, fakes, dImages);

  const outputs: Record<string, Tensor> = { logits: fake.logits };
  addGradients(outputs, gradients);
  addStatistics(outputs, 'generator', fakes.statistics);
  addStatistics(outputs, 'fake', fake.statistics);
  // The images need G alone, so a replica may make them before the discriminator is updated.
  const lateInputs = Object.keys(inputs).filter((name) => name.startsWith('discriminator/'));
  return { name: 'generator', graph, inputs: { ...inputs, z: z_BZ }, outputs, lateInputs };
}

/** The program of every pass, from images a shard, the model and the label of real images. */
export const PASS_PROGRAMS: Readonly<Record<Pass, (batch: number, spec: ModelSpec, realLabel?: number) => Program>> = {
  real: realPass,
  fake: fakePass,
  generator: generatorPass,
};

/** In place of a number of images, for a graph that an engine of its own runs: shapes then begin with -1. */
export const ANY_NUMBER = -1;

/**
 * Draws images from noise.
 *
 * @param batch images, or {@link ANY_NUMBER}
 * @param norm `running` feeds the running statistics (`running/<layer>.mean`, `.variance`), `batch` uses those of the batch
 */
export function samplingProgram(batch: number, spec: ModelSpec, norm: 'running' | 'batch'): Program {
  const graph = new Graph();
  const inputs: Record<string, Tensor> = {};
  const layout = layoutOf('generator', spec);
  const weights = weightsOf(graph, layout, inputs);
  const z_BZ = graph.placeholder('z', [batch, spec.latentSize]);
  inputs.z = z_BZ;
  if (norm === 'batch') {
    return { name: 'samples', graph, inputs, outputs: { images: generate(graph, weights, spec, z_BZ).images_BHWC } };
  }
  const running = (name: string): readonly [Tensor, Tensor] => {
    const channels = layout.norms.find((layer) => layer.name === name)?.channels ?? 0;
    const mean = graph.placeholder(`running/${name}.mean`, [channels]);
    const variance = graph.placeholder(`running/${name}.variance`, [channels]);
    inputs[`running/${name}.mean`] = mean;
    inputs[`running/${name}.variance`] = variance;
    return [mean, variance];
  };
  return { name: 'samples', graph, inputs, outputs: { images: generateFixed(graph, weights, spec, z_BZ, running) } };
}
