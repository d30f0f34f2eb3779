// The compiled update is held to the JavaScript: bit for bit, over any numbers, lengths and places in memory. The processor's
// widest kernels come first, as a process that has been limited to AVX2 stays so.

import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { emaSha256, stateSha256 } from '../../../../../coordinator/checkpoints/checkpoint.ts';
import { type AdamOptions, adamState, adamStep } from '../../../../../coordinator/training/adam.ts';
import { initialState } from '../../../../../coordinator/training/state.ts';
import { train } from '../../../../../coordinator/training/trainer.ts';
import { javascriptKernels } from '../../../../../coordinator/training/update.ts';
import { dcgan28 } from '../../../../../shared/model/spec.ts';
import { fillNormal } from '../../../../../shared/random.ts';
import type { UpdateKernels } from '../../../../../shared/update.ts';
import { type KernelBinding, loadKernels } from '../../../../../workers/engines/kernels/binding.ts';
import { LATENT, trainerOptions } from '../../../coordinator/training/stub-computer.ts';

const DCGAN: AdamOptions = { learningRate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8 };
const MOST = 100;
const MOST_OFFSET = 9;
/** Arrays that are added in one call: the kernels take eight in a pass. */
const COUNTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19];

/** Of all magnitudes, with zeros of both signs, the smallest, infinities and NaN among them. */
const float32 = fc.oneof(
  { weight: 4, arbitrary: fc.float() },
  { weight: 4, arbitrary: fc.float({ min: -1, max: 1, noNaN: true }) },
  fc.constantFrom(0, -0, 2 ** -149, -(2 ** -149), 2 ** -126, 2 ** -41, -(2 ** -41), 3.4e38, -3.4e38),
);
const float64 = fc.oneof(
  { weight: 4, arbitrary: fc.double() },
  { weight: 4, arbitrary: fc.double({ min: -1, max: 1, noNaN: true }) },
  fc.constantFrom(0, -0, 2 ** -1074, -(2 ** -1074), 2 ** -40, 1e300, -1e300),
);
/** Values somewhere in a longer buffer, whose other values no one may touch. */
const placed = (value: fc.Arbitrary<number>) =>
  fc.record({
    values: fc.array(value, { minLength: MOST + MOST_OFFSET + 1, maxLength: MOST + MOST_OFFSET + 1 }),
    offset: fc.nat(MOST_OFFSET),
  });
const arraysOf = (count: number) => fc.array(placed(float32), { minLength: count, maxLength: count });
type Placed = { readonly values: readonly number[]; readonly offset: number };

/** A view of `length` values of a fresh buffer. */
const narrow = ({ values, offset }: Placed, length: number) =>
  Float32Array.from(values).subarray(offset, offset + length);
const wide = ({ values, offset }: Placed, length: number) =>
  Float64Array.from(values).subarray(offset, offset + length);

/** All bits of the buffers below the views; those of NaN, which no computation depends on, as one. */
function bitsOf(...views: readonly (Float32Array | Float64Array)[]): string[] {
  return views.map((view) => {
    const whole =
      view instanceof Float32Array ? new Float32Array(view.buffer.slice(0)) : new Float64Array(view.buffer.slice(0));
    for (const [i, value] of whole.entries()) if (Number.isNaN(value)) whole[i] = Number.NaN;
    return Buffer.from(whole.buffer).toString('hex');
  });
}

const factors = fc.record({
  learningRate: fc.double({ min: 1e-6, max: 1, noNaN: true }),
  beta1: fc.double({ min: 0, max: 0.999, noNaN: true }),
  beta2: fc.double({ min: 0, max: 0.9999, noNaN: true }),
  epsilon: fc.constantFrom(1e-8, 1e-3, 0),
  unbias1: fc.double({ min: 1, max: 10, noNaN: true }),
  unbias2: fc.double({ min: 1, max: 1000, noNaN: true }),
  scale: fc.constantFrom(1, 1 / 3, 1 / 4),
});

describe.skipIf(loadKernels({ ...process.env, GANGLION_KERNELS: 'on' }) === undefined).each(['on', 'avx2'])(
  'GANGLION_KERNELS=%s',
  (setting) => {
    let update: KernelBinding;
    beforeAll(() => {
      const kernels = loadKernels({ ...process.env, GANGLION_KERNELS: setting });
      if (!kernels) throw new Error('they have been there');
      update = kernels.binding;
      if (setting === 'avx2') expect(update.isa).toBe('avx2');
    });

    it.each(COUNTS)('adds %d arrays with the bits of the JavaScript', (count) => {
      fc.assert(
        fc.property(fc.nat(MOST), placed(float64), arraysOf(count), fc.boolean(), (length, sum, arrays, isFirst) => {
          const values = arrays.map((array) => narrow(array, length));
          const before = bitsOf(...values);
          const [expected, got] = [wide(sum, length), wide(sum, length)];
          javascriptKernels.addRounded(expected, values, isFirst);
          update.addRounded(got, values, isFirst);
          expect(bitsOf(got)).toEqual(bitsOf(expected));
          expect(bitsOf(...values)).toEqual(before);
        }),
      );
    });

    it.each(COUNTS)(
      'adds %d arrays and makes a step of Adam with the bits of the JavaScript, its norm too',
      (count) => {
        const MORE = 35; // of the sum than there are parameters
        const state = fc.record({
          theta: placed(float32),
          m: placed(float32),
          v: placed(float32),
          sum: placed(float64),
        });
        const lengths = fc.record({ length: fc.nat(MOST - MORE), more: fc.nat(MORE) });
        fc.assert(
          fc.property(
            lengths,
            factors,
            state,
            arraysOf(count),
            fc.boolean(),
            ({ length, more }, by, s, added, isFirst) => {
              const values = added.map((array) => narrow(array, length + more));
              const before = bitsOf(...values);
              const run = ({ applyAdam }: UpdateKernels) => {
                const arrays = [narrow(s.theta, length), narrow(s.m, length), narrow(s.v, length)] as const;
                const sum = wide(s.sum, length + more);
                const norm = applyAdam(by, ...arrays, sum, values, isFirst);
                sum.fill(0, 0, length); // what Adam has used up
                return [norm, ...bitsOf(...arrays, sum)];
              };
              expect(run(update)).toEqual(run(javascriptKernels));
              expect(bitsOf(...values)).toEqual(before);
            },
          ),
        );
      },
    );

    it('moves an average with the bits of the JavaScript', () => {
      const keep = fc.double({ min: 0, max: 1, noNaN: true });
      fc.assert(
        fc.property(fc.nat(MOST), placed(float32), placed(float32), keep, (length, average, by, share) => {
          const values = narrow(by, length);
          const run = ({ moveAverage }: UpdateKernels) => {
            const moved = narrow(average, length);
            moveAverage(moved, values, share);
            return bitsOf(moved, values);
          };
          expect(run(update)).toEqual(run(javascriptKernels));
        }),
      );
    });

    it('50 steps in a row give the same state and norms, in shared memory too', () => {
      const COUNT = 1003;
      const run = ({ applyAdam }: UpdateKernels) => {
        const state = adamState(COUNT);
        const theta = new Float32Array(new SharedArrayBuffer(4 * COUNT));
        fillNormal({ seed: 1, stream: 'samples', time: 0, part: 0 }, theta);
        const norms = Array.from({ length: 50 }, (_, step) => {
          const g = fillNormal({ seed: 1, stream: 'samples', time: step, part: 1 }, new Float32Array(COUNT));
          const sum = Float64Array.from(g, (value, i) => value / 10 ** (i % 40)); // down to float32's smallest
          return adamStep({ ...DCGAN, beta1: 0.9 }, state, theta, sum, 1 / 3, { apply: applyAdam });
        });
        return [norms, Buffer.from(theta.buffer).toString('hex'), ...bitsOf(state.m, state.v)];
      };
      expect(run(update)).toEqual(run(javascriptKernels));
    });

    it('six steps of training give the same state and the same norms', async () => {
      const run = async (by: UpdateKernels) => {
        const state = initialState(dcgan28(LATENT), 1, true);
        const norms: number[] = [];
        await train(
          trainerOptions({
            state,
            totalSteps: 6,
            batch: 5,
            shards: 5, // the discriminator's ten results are more than are held
            kernels: by,
            ema: 0.9,
            commit: async ({ discriminator, generator }) => {
              norms.push(discriminator.gradientNorm, generator.gradientNorm);
            },
          }),
        );
        return { hash: stateSha256(state), ema: emaSha256(state), norms };
      };
      const calls: string[] = [];
      const counted = new Proxy<UpdateKernels>(update, {
        get(target, name: keyof UpdateKernels) {
          calls.push(name);
          return target[name];
        },
      });
      const got = await run(counted);
      expect(got).toEqual(await run(javascriptKernels));
      expect(got.norms).toHaveLength(12);
      expect(new Set(calls)).toEqual(new Set(['addRounded', 'applyAdam', 'moveAverage']));
    });

    it('refuses lengths that do not fit and arrays of another kind, and changes nothing', () => {
      const sum = new Float64Array(3).fill(7);
      const [theta, m, v] = [0, 1, 2].map(() => new Float32Array(3).fill(7)) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const by = { ...DCGAN, unbias1: 2, unbias2: 2, scale: 1 };
      const ones = (length: number) => new Float32Array(length).fill(1);
      for (const { addRounded, applyAdam, moveAverage } of [update, javascriptKernels]) {
        expect(() => moveAverage(theta, ones(2), 0.5)).toThrow('average of 3 values, got 2');
        for (const length of [0, 2, 4]) {
          for (const values of [[ones(length)], [ones(3), ones(length)], [...Array(9).fill(ones(3)), ones(length)]]) {
            const message = `exact sum of 3 values, got ${length}`;
            expect(() => addRounded(sum, values, true)).toThrow(message);
            expect(() => applyAdam(by, theta, m, v, sum, values, false)).toThrow(message);
          }
        }
        for (const [mLength, vLength, sumLength] of [
          [2, 3, 3],
          [3, 4, 3],
          [3, 3, 2],
        ] as const) {
          const message = `Adam: expected moments and a sum of 3 parameters, got ${mLength} and ${vLength} moments, a sum of ${sumLength}`;
          const moments = [m.slice(0, mLength), vLength > 3 ? ones(vLength) : v] as const;
          const part = sum.subarray(0, sumLength);
          expect(() => applyAdam(by, theta, ...moments, part, [ones(sumLength)], true)).toThrow(message);
        }
      }
      const wrong = new Float64Array(3) as never;
      expect(() => update.addRounded(ones(3) as never, [ones(3)], true)).toThrow('kernels: expected a Float64Array');
      expect(() => update.addRounded(sum, [ones(3), wrong], true)).toThrow('kernels: expected a Float32Array');
      expect(() => update.addRounded(sum, ones(3) as never, true)).toThrow('kernels: expected an array');
      expect(() => update.addRounded(sum, [ones(3)], undefined as never)).toThrow('kernels: expected a boolean');
      expect(() => update.applyAdam(by, theta, m, v, ones(3) as never, [], false)).toThrow('a Float64Array');
      expect(() => update.applyAdam(by, theta, m, v, sum, [wrong], false)).toThrow('a Float32Array');
      const nameless = { ...by, beta2: undefined as never };
      expect(() => update.applyAdam(nameless, theta, m, v, sum, [ones(3)], true)).toThrow('beta2');
      expect([...sum, ...theta, ...m, ...v]).toEqual(Array(12).fill(7));
    });
  },
);
