// The averaged generator in checkpoints.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  emaSha256,
  readCheckpoint,
  stateSha256,
  writeCheckpoint,
} from '../../../../coordinator/checkpoints/checkpoint.ts';
import { initialState, type TrainingState } from '../../../../coordinator/training/state.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { fillNormal } from '../../../../shared/random.ts';
import { decodeSafetensors, encodeSafetensors, type SafetensorsFile } from '../../../../shared/safetensors.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';

function averaged(): TrainingState {
  const state = initialState(dcgan28(1), 3, true);
  if (!state.average) throw new Error('an average');
  fillNormal({ seed: 3, stream: 'samples', time: 9, part: 0 }, state.average.parameters);
  state.average.statistics.fill(0.5);
  return state;
}

function written(change: (file: SafetensorsFile) => SafetensorsFile = (file) => file): string {
  const path = join(scratchFolder(), 'a.safetensors');
  writeCheckpoint(path, averaged(), '{}');
  writeFileSync(path, encodeSafetensors(change(decodeSafetensors(readFileSync(path), path))));
  return path;
}

describe('a checkpoint with an averaged generator', () => {
  it("has it under the names of the generator's state dictionary, and gives it back", () => {
    const path = written();
    const { tensors, metadata } = decodeSafetensors(readFileSync(path), path);
    const namesOf = (prefix: string) =>
      [...tensors.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
    expect(namesOf('generator_ema.')).toEqual(namesOf('generator.'));
    expect(namesOf('generator_ema.')).toContain('main.1.running_var');
    const state = averaged();
    const read = readCheckpoint(path);
    expect(read.state.average).toEqual(state.average);
    expect(read.emaSha256).toBe(emaSha256(state));
    expect(metadata.emaSha256).toBe(read.emaSha256);
    expect(read.stateSha256).toBe(stateSha256(initialState(dcgan28(1), 3))); // the same with and without
  });

  it.each<[string, (file: SafetensorsFile) => SafetensorsFile]>([
    [
      'a tensor is altered',
      ({ metadata, tensors }) => {
        const first = tensors.get('generator_ema.main.0.weight');
        if (!first) throw new Error('a weight');
        const bytes = Uint8Array.from(first.bytes);
        bytes[3] = (bytes[3] ?? 0) ^ 1;
        return { metadata, tensors: new Map([...tensors, ['generator_ema.main.0.weight', { ...first, bytes }]]) };
      },
    ],
    [
      'a tensor is missing',
      ({ metadata, tensors }) => ({
        metadata,
        tensors: new Map([...tensors].filter(([name]) => name !== 'generator_ema.main.1.bias')),
      }),
    ],
    [
      'all of it is missing',
      ({ metadata, tensors }) => ({
        metadata,
        tensors: new Map([...tensors].filter(([name]) => !name.startsWith('generator_ema.'))),
      }),
    ],
    ['its hash is missing', ({ metadata: { emaSha256: _, ...metadata }, tensors }) => ({ metadata, tensors })],
  ])('is refused when %s', async (_, change) => {
    const message = await errorOf(() => readCheckpoint(written(change)));
    expect(message).toMatch(
      /^checkpoint: .*: altered: its averaged generator does not have the SHA-256 stored with it$/,
    );
  });

  it('is refused when a number cannot be', async () => {
    const state = averaged();
    const path = join(scratchFolder(), 'a.safetensors');
    if (state.average) state.average.parameters[0] = Number.NaN;
    writeCheckpoint(path, state, '{}');
    expect(await errorOf(() => readCheckpoint(path))).toMatch(/tensor generator_ema\.main\.0\.weight: expected finite/);
  });
});
