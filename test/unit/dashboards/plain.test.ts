// The page's generator in plain JavaScript against the kernels in WebAssembly, for every kind of model.
import { expect, it } from 'vitest';
import { initialState } from '../../../coordinator/training/state.ts';
import { plainGenerator } from '../../../dashboards/explorer/plain.ts';
import { parameterInputs, statisticsInputs } from '../../../shared/model/net-inputs.ts';
import { samplingProgram } from '../../../shared/model/phases.ts';
import { dcgan } from '../../../shared/model/spec.ts';
import { fillNormal } from '../../../shared/random.ts';
import { loadRunner } from '../../../workers/engines/engines.ts';

it.each([
  { imageSize: 28, channels: 1, width: 1 },
  { imageSize: 28, channels: 3, width: 2 },
  { imageSize: 32, channels: 3, width: 0.25 },
  { imageSize: 64, channels: 1, width: 0.25 },
] as const)('draws what the kernels draw: %j', async (choice) => {
  const spec = dcgan({ latentSize: 5, ...choice });
  const { layout, parameters, statistics } = initialState(spec, 3).generator;
  // Weights of the start give images that are all grey.
  for (const { shape, offset, size } of layout.parameters) {
    if (shape.length > 1) for (let i = offset; i < offset + size; i++) parameters[i] = 5 * (parameters[i] ?? 0);
  }
  for (const { channels, offset } of layout.norms) {
    for (let i = 0; i < 2 * channels; i++) statistics[offset + i] = i < channels ? Math.sin(i) / 4 : 0.5 + (i % 3);
  }
  const z = fillNormal({ seed: 3, stream: 'samples', time: 0, part: 0 }, new Float32Array(5));
  const inputs = { ...parameterInputs(layout, parameters), ...statisticsInputs(layout, statistics), z };
  const executor = (await loadRunner('wasm')).load(samplingProgram(1, spec, 'running'));
  const { images: expected = new Float32Array() } = await executor.run(inputs);
  const { images: drawn = new Float32Array() } = await plainGenerator(spec).run(inputs);
  executor.dispose();
  expect(new Set(expected.map((pixel) => Math.round(8 * pixel))).size).toBeGreaterThan(4); // not grey
  expect(drawn.length).toBe(expected.length);
  const difference = drawn.reduce((most, pixel, i) => Math.max(most, Math.abs(pixel - (expected[i] ?? Number.NaN))), 0);
  expect(difference).toBeLessThan(1e-5);
});
