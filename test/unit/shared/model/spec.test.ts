// A second model, of other images, widths, biases, slopes and epsilon, gives right shapes everywhere.
import { describe, expect, it } from 'vitest';
import { readCheckpoint, stateSha256, writeCheckpoint } from '../../../../coordinator/checkpoints/checkpoint.ts';
import { toTensors } from '../../../../coordinator/checkpoints/state-tensors.ts';
import { toGrid } from '../../../../coordinator/images/grid.ts';
import { encodeNpy } from '../../../../coordinator/images/npy.ts';
import { decodePng, encodePng } from '../../../../coordinator/images/png.ts';
import { initialState } from '../../../../coordinator/training/state.ts';
import { initialise } from '../../../../shared/model/initialise.ts';
import { layoutOf, type Net, PASSES, type Phase } from '../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../shared/model/phase-vector.ts';
import { PASS_PROGRAMS, samplingProgram } from '../../../../shared/model/phases.ts';
import {
  dcgan28,
  discriminatorLayers,
  generatorLayers,
  imageShapeOf,
  imageSizeOf,
} from '../../../../shared/model/spec.ts';
import { fromTorchLayout, toTorchLayout } from '../../../../shared/model/torch-layout.ts';
import { toRequest } from '../../../../shared/process-protocol.ts';
import { rgb32 } from '../../rgb32.ts';
import { scratchFolder } from '../../scratch.ts';

const SPEC = rgb32(5, 64);
/** Small ones where values are computed. */
const SMALL = rgb32(3, 2);
const NETS: readonly Net[] = ['generator', 'discriminator'];
const PHASES: readonly Phase[] = NETS;

describe('dcgan28', () => {
  it('has the sides 1, 4, 8, 16, 28 and back', () => {
    expect(generatorLayers(dcgan28(100)).map(({ outputShape }) => outputShape)).toEqual([
      [4, 4, 128],
      [8, 8, 64],
      [16, 16, 32],
      [28, 28, 1],
    ]);
    expect(discriminatorLayers(dcgan28(100)).map(({ outputShape }) => outputShape)).toEqual([
      [16, 16, 16],
      [8, 8, 32],
      [4, 4, 64],
      [1, 1, 1],
    ]);
    expect([imageShapeOf(dcgan28(2)), imageSizeOf(dcgan28(2))]).toEqual([[28, 28, 1], 784]);
  });
});

describe('another model', () => {
  it('has its images', () => {
    expect([imageShapeOf(SPEC), imageSizeOf(SPEC)]).toEqual([[32, 32, 3], 3072]);
  });

  it("has PyTorch's names and both layouts", () => {
    const shapes = (net: Net) =>
      layoutOf(net, SPEC).parameters.map(({ name, torchShape, shape }) => [name, torchShape, shape]);
    const vectors = (layer: string, size: number) => [
      [`${layer}.weight`, [size], [size]],
      [`${layer}.bias`, [size], [size]],
    ];
    expect(shapes('generator')).toEqual([
      ['main.0.weight', [5, 256, 4, 4], [5, 4 * 4 * 256]],
      ...vectors('main.1', 256),
      ['main.3.weight', [256, 128, 4, 4], [4, 4, 128, 256]],
      ...vectors('main.4', 128),
      ['main.6.weight', [128, 64, 4, 4], [4, 4, 64, 128]],
      ...vectors('main.7', 64),
      ['main.9.weight', [64, 3, 4, 4], [4, 4, 3, 64]],
    ]);
    expect(shapes('discriminator')).toEqual([
      ['main.0.weight', [64, 3, 4, 4], [4, 4, 3, 64]],
      ['main.2.weight', [128, 64, 4, 4], [4, 4, 64, 128]],
      ...vectors('main.3', 128),
      ['main.5.weight', [256, 128, 4, 4], [4, 4, 128, 256]],
      ...vectors('main.6', 256),
      ['main.8.weight', [1, 256, 4, 4], [4 * 4 * 256, 1]],
    ]);
    expect(layoutOf('generator', SPEC).norms.map(({ name, channels }) => [name, channels])).toEqual([
      ['main.1', 256],
      ['main.4', 128],
      ['main.7', 64],
    ]);
    expect(layoutOf('discriminator', SPEC)).toMatchObject({
      parameterCount: 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256) + 2 * (128 + 256),
      statisticsCount: 2 * (128 + 256),
    });
  });

  it.each(PHASES)(
    '%s phase: a gradient of every parameter and all statistics, each in its place of the vector',
    (phase) => {
      const layout = layoutOf(phase, SPEC);
      const { slices, gradientCount, length, statistics } = phaseVectorOf(phase, SPEC);
      expect(gradientCount).toBe(layout.parameterCount);
      expect(length).toBe(gradientCount + 4 + statistics.reduce((sum, { size }) => sum + size, 0));
      const given = new Set<string>();
      for (const pass of PASSES[phase]) {
        const { inputs, outputs } = PASS_PROGRAMS[pass](7, SPEC);
        if (pass === 'real') expect(inputs.images?.shape).toEqual([7, 32, 32, 3]);
        else expect(inputs.z?.shape).toEqual([7, 5]);
        expect(outputs.logits?.shape).toEqual([7, 1]);
        for (const { name, shape } of layout.parameters) expect(outputs[`gradient/${name}`]?.shape).toEqual(shape);
        for (const { output, size } of slices) {
          const tensor = outputs[output];
          if (!tensor) continue;
          given.add(output);
          expect(tensor.shape.reduce((a, b) => a * b, 1)).toBe(size);
        }
      }
      expect(slices.filter(({ output }) => !given.has(output))).toEqual([]);
    },
  );

  it('carries its epsilon and its slope into the operations', () => {
    const { nodes } = PASS_PROGRAMS.generator(2, SPEC).graph;
    const values = (attribute: string) => [
      ...new Set(
        nodes.flatMap(({ attributes: { [attribute]: value } }) => (value?.kind === 'float' ? value.value : [])),
      ),
    ];
    expect([values('epsilon'), values('alpha')]).toEqual([[1e-3], [0.1]]);
  });

  it.each(['running', 'batch'] as const)('draws samples on %s statistics', (norm) => {
    const { inputs, outputs } = samplingProgram(9, SPEC, norm);
    expect(outputs.images?.shape).toEqual([9, 32, 32, 3]);
    expect(inputs.z?.shape).toEqual([9, 5]);
    expect(inputs['running/main.4.mean']?.shape).toEqual(norm === 'running' ? [128] : undefined);
  });

  it.each(NETS)('%s: every parameter is drawn, and keeps its values through both layouts', (net) => {
    const { parameters, parameterCount } = layoutOf(net, SMALL);
    const values = new Float32Array(parameterCount).fill(Number.NaN);
    initialise(net, SMALL, 7, values);
    expect(values.every(Number.isFinite)).toBe(true);
    for (const parameter of parameters) {
      const { offset, size } = parameter;
      const part = values.subarray(offset, offset + size);
      const back = new Float32Array(size);
      fromTorchLayout(parameter, toTorchLayout(parameter, part), back);
      expect(back).toEqual(part);
    }
  });

  it('is stored in a checkpoint and read back', () => {
    const state = initialState(SMALL, 7);
    state.step = 12;
    expect(toTensors(state).get('adam.m.generator.main.9.weight')?.shape).toEqual([2, 3, 4, 4]);
    const path = `${scratchFolder()}/step-00000012.safetensors`;
    const { sha256 } = writeCheckpoint(path, state, '{}');
    const read = readCheckpoint(path, () => SMALL);
    expect(read.state).toMatchObject({ spec: SMALL, step: 12 });
    expect([sha256, stateSha256(read.state)]).toEqual([read.stateSha256, sha256]);
    // That of another model says where it differs.
    expect(() => readCheckpoint(path)).toThrow(
      /tensor generator.main.0.weight expected F32 \[0,128,4,4\], got F32 \[3,8,4,4\]/,
    );
  });

  it('travels to a process in a frame', () => {
    const setup = { replica: 0, backend: 'wasm', shardSize: 2, spec: SPEC, seed: 7, shards: 4 };
    expect(toRequest({ kind: 'start', call: 0, setup })).toMatchObject({ setup: { spec: SPEC } });
    const [first, ...rest] = SPEC.generator;
    const wrong = { ...SPEC, generator: [{ ...first, stride: 0 }, ...rest] };
    expect(() => toRequest({ kind: 'start', call: 0, setup: { ...setup, spec: wrong } })).toThrow(
      'setup.spec.generator.0.stride',
    );
  });

  it('has pictures of three colours', () => {
    const images = Uint8Array.from({ length: 3 * 3072 }, (_, i) => (i * 7) % 251);
    const grid = toGrid(images, 3, 2, imageShapeOf(SPEC));
    expect([grid.width, grid.height, grid.pixels.length]).toEqual([66, 66, 66 * 66 * 3]);
    // Image 1, row 5, column 6, blue; and image 2 below the first.
    expect(grid.pixels[(5 * 66 + 34 + 6) * 3 + 2]).toBe(images[3072 + (5 * 32 + 6) * 3 + 2]);
    expect(grid.pixels[34 * 66 * 3]).toBe(images[2 * 3072]);
    expect(decodePng(encodePng(grid))).toEqual(grid);
    expect(Buffer.from(encodeNpy(new Float32Array(2 * 3072), 2, imageShapeOf(SPEC))).toString('latin1', 10)).toContain(
      "'shape': (2, 32, 32, 3), ",
    );
  });
});
