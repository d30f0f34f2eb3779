// Inputs of the passes of two images, for tests that compare one engine with another. Rounding may flip the sign of an activation near
// 0, and then a whole gradient differs: of 400 seeds, this one keeps all activations of both nets farthest away from 0.

import type { Graph, Tensor } from '../../../../shared/model/graph.ts';
import { initialise } from '../../../../shared/model/initialise.ts';
import { layoutOf, type Pass } from '../../../../shared/model/layout.ts';
import { PASS_PROGRAMS } from '../../../../shared/model/phases.ts';
import type { Program } from '../../../../shared/model/program.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { fillNormal } from '../../../../shared/random.ts';
import type { ProgramRunner } from '../../../../workers/engines/program-runner.ts';

export const BATCH = 2;
export const LATENT = 8;
const SEED = 241;

type Values = Record<string, Float32Array>;

/** Parameters, images and noise, under the names that programs give their inputs. */
export function passInputs(batch = BATCH, latent = LATENT, seed = SEED): Values {
  const inputs: Values = {};
  for (const net of ['generator', 'discriminator'] as const) {
    const { parameters, parameterCount } = layoutOf(net, dcgan28(latent));
    const values = new Float32Array(parameterCount);
    initialise(net, dcgan28(latent), seed, values);
    for (const { name, offset, size } of parameters) inputs[`${net}/${name}`] = values.slice(offset, offset + size);
  }
  const normal = (length: number, time: number) =>
    fillNormal({ seed, stream: 'samples', time, part: 0 }, new Float32Array(length));
  inputs.images = normal(batch * 784, 1).map(Math.tanh);
  inputs.z = normal(batch * latent, 2);
  return inputs;
}

/** Values of every tensor of a pass that another node may read, by name, `node:output`. */
export async function tensorsOf(runner: ProgramRunner, pass: Pass): Promise<Map<string, Float32Array>> {
  const program: Program = PASS_PROGRAMS[pass](BATCH, dcgan28(LATENT));
  const graph = program.graph as Graph; // as shared/model built it
  const outputs: Record<string, Tensor> = {};
  for (const { name: node, op, outputs: given } of [...graph.nodes]) {
    // What a BatchNorm reserves for its gradient is each engine's own.
    for (const [output, { shape, dtype }] of given.slice(0, 3).entries()) {
      if (op === 'Const' || op === 'Placeholder') continue;
      const tensor = { node, output, shape, dtype };
      // A copy: TensorFlow merges nodes whose output nobody else reads.
      const [copy] = graph.add('Identity', [tensor], { T: { kind: 'type', value: dtype } }, [tensor]);
      if (copy) outputs[`${node}:${output}`] = copy;
    }
  }
  const executor = runner.load({ ...program, outputs });
  const values = await executor.run(passInputs());
  executor.dispose();
  return new Map(Object.entries(values));
}
