// The exported model, run by TensorFlow.js, against the same layers written with TensorFlow.js's own functions.
import { createRequire } from 'node:module';
import type * as converter from '@tensorflow/tfjs-converter';
import type * as core from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { toGraphModel } from '../../../../coordinator/export/graph-model.ts';
import { initialState, type NetState } from '../../../../coordinator/training/state.ts';
import { dcgan28, generatorLayers, type ModelSpec } from '../../../../shared/model/spec.ts';
import { fillNormal } from '../../../../shared/random.ts';
import { rgb32 } from '../../rgb32.ts';

const require = createRequire(import.meta.url);
const ORIGIN = { ganglion: '0', run: 'a', step: 3, stateSha256: 'b' };

let tf: typeof core;
beforeAll(async () => {
  tf = require('@tensorflow/tfjs-core');
  require('@tensorflow/tfjs-backend-cpu');
  await tf.setBackend('cpu');
});

/** A generator whose running statistics differ from channel to channel. */
function generatorOf(spec: ModelSpec): NetState {
  const { generator } = initialState(spec, 3);
  const { layout, parameters, statistics } = generator;
  for (const { shape, offset, size } of layout.parameters) {
    const factor = shape.length === 1 ? 1 : 5; // weights of the start give images that are all grey
    for (let i = offset; i < offset + size; i++) parameters[i] = factor * (parameters[i] ?? 0);
  }
  for (const { channels, offset } of layout.norms) {
    for (let i = 0; i < 2 * channels; i++) statistics[offset + i] = i < channels ? Math.sin(i) : 0.5 + (i % 3);
  }
  return generator;
}

function expectedImages({ layout, parameters, statistics }: NetState, spec: ModelSpec, z: core.Tensor2D): core.Tensor {
  const vector = (name: string): core.Tensor => {
    const found = layout.parameters.find((parameter) => parameter.name === name);
    if (!found) throw new Error(`no ${name}`);
    return tf.tensor(parameters.slice(found.offset, found.offset + found.size));
  };
  let x: core.Tensor4D = tf.reshape(z, [z.shape[0], 1, 1, spec.latentSize]);
  for (const { name, normName, kernel, inputs, outputs, stride, padding, outputShape, activation } of generatorLayers(
    spec,
  )) {
    const [height, width] = outputShape;
    // Of the first layer [in, height, width, out], of others [height, width, out, in].
    const flat = vector(`${name}.weight`);
    const filter = (
      name === 'main.0'
        ? tf.transpose(tf.reshape(flat, [inputs, kernel, kernel, outputs]), [1, 2, 3, 0])
        : tf.reshape(flat, [kernel, kernel, outputs, inputs])
    ) as core.Tensor4D;
    const full = [height + 2 * padding, width + 2 * padding] as const;
    const uncut = tf.conv2dTranspose(x, filter, [z.shape[0], ...full, outputs], stride, 'valid');
    x = tf.slice(uncut, [0, padding, padding, 0], [-1, height, width, -1]);
    const norm = layout.norms.find((layer) => layer.name === normName);
    if (norm) {
      const { channels, offset } = norm;
      const mean = tf.tensor1d(statistics.slice(offset, offset + channels));
      const variance = tf.tensor1d(statistics.slice(offset + channels, offset + 2 * channels));
      const [scale, shift] = [vector(`${norm.name}.weight`), vector(`${norm.name}.bias`)];
      x = tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, spec.epsilon))), scale), shift);
    }
    x = activation.kind === 'tanh' ? tf.tanh(x) : tf.relu(x);
  }
  return x;
}

describe.each([
  ['dcgan28', dcgan28(4), [28, 28, 1]],
  ['rgb32', rgb32(3, 4), [32, 32, 3]],
] as const)('the model of %s', (_, spec, image) => {
  it('draws the same images, any number of them', async () => {
    const generator = generatorOf(spec);
    const { json, weights } = toGraphModel(generator, spec, ORIGIN);
    const { weightsManifest, ...rest } = json;
    const artifacts: unknown = {
      ...rest,
      weightSpecs: weightsManifest.flatMap((group) => group.weights),
      weightData: Uint8Array.from(weights).buffer,
    };
    const { loadGraphModel } = require('@tensorflow/tfjs-converter') as typeof converter;
    const model = await loadGraphModel({ load: async () => artifacts as core.io.ModelArtifacts });
    expect(model.inputs).toMatchObject([{ name: 'z', shape: [-1, spec.latentSize], dtype: 'float32' }]);
    const sizes = json.signature.outputs.images?.tensorShape.dim.map(({ size }) => Number(size));
    expect(sizes).toEqual([-1, ...image]);
    for (const count of [1, 3]) {
      const noise = fillNormal(
        { seed: 1, stream: 'samples', time: 0, part: 0 },
        new Float32Array(count * spec.latentSize),
      );
      const z = tf.tensor2d(noise, [count, spec.latentSize]);
      const got = model.predict({ z }) as core.Tensor;
      expect(got.shape).toEqual([count, ...image]);
      const [a, b] = [got, expectedImages(generator, spec, z)].map((tensor) => Array.from(tensor.dataSync())) as [
        number[],
        number[],
      ];
      const difference = a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0);
      expect(difference).toBeLessThan(1e-5);
      expect(Math.max(...b) - Math.min(...b)).toBeGreaterThan(0.2);
    }
    model.dispose();
  });
});
