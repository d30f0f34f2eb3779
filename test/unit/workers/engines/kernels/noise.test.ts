// Noise by the kernels is held to the JavaScript, bit for bit: the transform in float64, where every difference of a function shows, and
// what is filled by it. The processor's widest kernels come first, as a process that has been limited to AVX2 stays so.

import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { stateSha256 } from '../../../../../coordinator/checkpoints/checkpoint.ts';
import { initialState } from '../../../../../coordinator/training/state.ts';
import { train } from '../../../../../coordinator/training/trainer.ts';
import { type Pass, phaseOf } from '../../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../../shared/model/phase-vector.ts';
import { dcgan28 } from '../../../../../shared/model/spec.ts';
import { fillNormal, randomWords, STREAMS, type Stream, toNormal } from '../../../../../shared/random.ts';
import { type KernelBinding, loadKernels } from '../../../../../workers/engines/kernels/binding.ts';
import { kernelRunner } from '../../../../../workers/engines/kernels/kernel-runner.ts';
import { kernelNoise } from '../../../../../workers/engines/kernels/noise.ts';
import { ProgramEngine } from '../../../../../workers/engines/program-engine.ts';
import type { ProgramRunner } from '../../../../../workers/engines/program-runner.ts';
import { Replica } from '../../../../../workers/replica/replica.ts';
import { DATASET, trainerOptions } from '../../../coordinator/training/stub-computer.ts';

const HIGHEST = 2 ** 32 - 1;

/** Words in both places of a pair, each with random ones beside it. */
function pairsWith(special: readonly number[]): Uint32Array {
  const others = randomWords({ seed: 3, stream: 'samples', time: 1, part: 1 }, 2 * special.length);
  return Uint32Array.from(special.flatMap((word, i) => [word, others[2 * i] ?? 0, others[2 * i + 1] ?? 0, word]));
}

/** The words from `below` under `word` to `above` over it, as far as there are such. */
const around = (word: number, below: number, above: number): number[] =>
  Array.from({ length: below + above + 1 }, (_, i) => Math.floor(word) - below + i).filter(
    (w) => w >= 0 && w <= HIGHEST,
  );

const RANGES: Readonly<Record<string, () => Uint32Array>> = {
  'a million words of a stream': () => randomWords({ seed: 9, stream: 'samples', time: 0, part: 0 }, 1_000_000),
  'every pair of the lowest, the highest and powers of two': () => {
    const words = [0, 1, 2, HIGHEST - 1, HIGHEST, ...Array.from({ length: 31 }, (_, bit) => 2 ** (bit + 1) - 1)];
    return Uint32Array.from(words.flatMap((first) => words.flatMap((second) => [first, second])));
  },
  // Eighths of a turn: there fdlibm goes from one quarter to the next; up to 5,215 words beside a quarter (2^-17) most bits cancel.
  'beside every eighth': () =>
    pairsWith(Array.from({ length: 9 }, (_, eighth) => around(eighth * 2 ** 29, 6000, 6000)).flat()),
  'where the cosine leaves its formula for small angles': () =>
    pairsWith(
      [0.3, 0.78125].flatMap((angle) =>
        Array.from({ length: 9 }, (_, quarter) => [
          ...around(((quarter * Math.PI) / 2 + angle) * (2 ** 31 / Math.PI), 500, 500),
          ...around(((quarter * Math.PI) / 2 - angle) * (2 ** 31 / Math.PI), 500, 500),
        ]).flat(),
      ),
    ),
  // By the upper 20 bits of the mantissa, at those of about 1.38, 1.414 and 1.42, and just beside powers of two.
  'where the logarithm changes its formula': () =>
    pairsWith(
      [1, 1 + 0x6147a / 2 ** 20, 1 + 0x6a09c / 2 ** 20, 1 + 0x6b852 / 2 ** 20, 2 - 2 ** -19, 1 + 2 ** -20].flatMap(
        (mantissa) => Array.from({ length: 32 }, (_, bit) => around(mantissa * 2 ** bit, 200, 200)).flat(),
      ),
    ),
};

/** Latent vectors' length and images a batch of the training run. */
const LATENT = 100;
const BATCH = 8;
const SHARDS = 2;

/** The hash of the state after five steps of one replica on a runner. */
async function hashAfterTraining(runner: ProgramRunner): Promise<string> {
  const state = initialState(dcgan28(LATENT), 1);
  const slots = (pass: Pass): [Float32Array, Float32Array] => {
    const slot = new Float32Array(phaseVectorOf(phaseOf(pass), dcgan28(LATENT)).length);
    return [slot, slot];
  };
  const results = { real: slots('real'), fake: slots('fake'), generator: slots('generator') };
  const shardSize = BATCH / SHARDS;
  const replica = await Replica.start(new ProgramEngine(runner), {
    ...{ replica: 0, backend: 'cpu', shardSize, spec: dcgan28(LATENT), seed: 2 ** 53 - 1, shards: SHARDS, results },
    parameters: { generator: state.generator.parameters, discriminator: state.discriminator.parameters },
  });
  await train({
    ...trainerOptions({ state, totalSteps: 5 }),
    ...{ dataset: DATASET, batch: BATCH, shards: SHARDS, seed: 2 ** 53 - 1 },
    replicas: {
      async compute(shards, accept) {
        for (const shard of shards) {
          const pixels = Uint8Array.from(
            { length: shardSize * 784 },
            (_, i) => (i * 31 + shard.step + shard.shard) % 256,
          );
          const seconds = await replica.compute({ ...shard, pixels: [pixels], slot: 0 });
          accept(shard, { values: results[shard.pass][0].slice(), seconds, tensors: 0, release() {} });
        }
        return [];
      },
    },
  });
  replica.dispose();
  return stateSha256(state);
}

describe.skipIf(loadKernels({ ...process.env, GANGLION_KERNELS: 'on' }) === undefined).each(['on', 'avx2'])(
  'GANGLION_KERNELS=%s',
  (setting) => {
    let kernels: KernelBinding;
    beforeAll(() => {
      const loaded = loadKernels({ ...process.env, GANGLION_KERNELS: setting });
      if (!loaded) throw new Error('they have been there');
      kernels = loaded.binding;
      if (setting === 'avx2') expect(kernels.isa).toBe('avx2');
    });

    const noise = (): typeof fillNormal => kernelNoise(kernels);

    it.each(Object.entries(RANGES))('toNormal has the bits of the JavaScript: %s', (_, make) => {
      const words = make();
      const expected = new Float64Array(words.length);
      const got = new Float64Array(words.length);
      toNormal(words, expected);
      kernels.toNormal(words, got);
      const bits = new BigUint64Array(expected.buffer);
      const differs = new BigUint64Array(got.buffer).findIndex((value, i) => value !== bits[i]);
      const pair = [words[differs & ~1], words[differs | 1]];
      expect(differs, `number ${differs}, of the words ${pair}, is ${got[differs]}, not ${expected[differs]}`).toBe(-1);
    });

    it('fills any length anywhere in memory from any stream, and touches nothing beside it', () => {
      const MOST = 200;
      const MOST_OFFSET = 9;
      const word = fc.oneof(fc.integer({ min: 0, max: HIGHEST }), fc.constantFrom(0, 2 ** 31, HIGHEST - 1, HIGHEST));
      const address = fc.record({
        seed: fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, HIGHEST, 2 ** 32, 2 ** 53 - 1)),
        stream: fc.constantFrom(...(Object.keys(STREAMS) as Stream[])),
        time: word,
        part: word,
      });
      const fill = noise();
      fc.assert(
        fc.property(address, fc.nat(MOST), fc.nat(MOST_OFFSET), (of, length, offset) => {
          const run = (by: typeof fillNormal): string => {
            const whole = new Float32Array(MOST + MOST_OFFSET + 1).fill(7);
            const view = whole.subarray(offset, offset + length);
            expect(by(of, view)).toBe(view);
            return Buffer.from(whole.buffer).toString('hex');
          };
          expect(run(fill)).toEqual(run(fillNormal));
        }),
        { numRuns: 1000 },
      );
    });

    it('fills 100,001 numbers, and shared memory', () => {
      const address = { seed: 5, stream: 'generatorNoise', time: 3, part: 2 } as const;
      const expected = fillNormal(address, new Float32Array(100_001));
      const got = noise()(address, new Float32Array(new SharedArrayBuffer(4 * expected.length)));
      expect(Buffer.from(got.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
    });

    it('refuses arrays of another kind and lengths that do not fit', () => {
      const words = new Uint32Array(4);
      for (const [count, length] of [
        [4, 3],
        [4, 6],
        [3, 3],
      ] as const)
        expect(() => kernels.toNormal(words.subarray(0, count), new Float64Array(length))).toThrow(
          `toNormal: expected an even number of words and as many results, got ${count} and ${length}`,
        );
      expect(() => kernels.toNormal(new Int32Array(4) as never, new Float64Array(4))).toThrow('a Uint32Array');
      expect(() => kernels.toNormal(words, new Float32Array(4) as never)).toThrow('a Float64Array');
      expect(() => kernels.fillNormal(0, 0, 1, 0, 0, new Float64Array(4) as never)).toThrow('a Float32Array');
      expect(() => kernels.fillNormal(0, 0, 1, undefined as never, 0, new Float32Array(4))).toThrow(
        'a word of the stream',
      );
    });

    it('five steps of training give the same state with it as without', async () => {
      const runner = kernelRunner();
      expect(runner.name).toBe(`kernels-${kernels.isa}`);
      const { fillNormal: fill, ...without } = runner;
      if (!fill) throw new Error('expected a runner that has it');
      const filled: string[] = [];
      const counted: typeof fillNormal = (address, out) => {
        filled.push(`${address.stream} ${address.time} ${address.part}`);
        return fill(address, out);
      };
      expect(await hashAfterTraining({ ...without, fillNormal: counted })).toBe(await hashAfterTraining(without));
      expect(new Set(filled).size).toBe(5 * 2 * SHARDS); // every shard of both passes that take noise
    });
  },
);
