// The settings of the optimiser and of the averaged generator: part of the table of settings.
import { z } from 'zod';
import { setting } from './setting.ts';

const decay = z.number().min(0).lt(1);

export const RECIPE_SETTINGS = {
  /** Adam. */
  lr: setting({
    value: 'X',
    expected: 'a number above 0, at most 1',
    schema: z.number().gt(0).max(1),
    default: 2e-4,
    description: "Adam's learning rate",
    immutable: true,
  }),
  /** Of the generator; null is `lr`. Two rates: Heusel et al. 2017 (TTUR). */
  lrG: setting({
    value: 'X',
    expected: 'a number above 0, at most 1',
    schema: z.number().gt(0).max(1).nullable(),
    default: null,
    description: "the generator's learning rate (default: --lr)",
    immutable: true,
  }),
  /** Of the discriminator; null is `lr`. */
  lrD: setting({
    value: 'X',
    expected: 'a number above 0, at most 1',
    schema: z.number().gt(0).max(1).nullable(),
    default: null,
    description: "the discriminator's learning rate (default: --lr)",
    immutable: true,
  }),
  /** Over the whole run, to 0; of both rates. */
  lrDecay: setting({
    value: 'HOW',
    expected: 'off, linear or cosine',
    schema: z.enum(['off', 'linear', 'cosine']),
    default: 'off',
    description: 'how the learning rates fall to 0 over the run: off (they do not), linear or cosine',
    immutable: true,
  }),
  /** What real images lack to the label 1; one-sided: Salimans et al. 2016. */
  labelSmoothing: setting({
    value: 'X',
    expected: 'a number from 0 to 0.5',
    schema: z.number().min(0).max(0.5),
    default: 0,
    description: 'one-sided label smoothing: D is asked to say 1 - X of real images, such as 0.1',
    immutable: true,
  }),
  beta1: setting({
    value: 'X',
    expected: 'a number from 0 to below 1',
    schema: decay,
    default: 0.5,
    description: "decay of Adam's first moment",
    immutable: true,
  }),
  beta2: setting({
    value: 'X',
    expected: 'a number from 0 to below 1',
    schema: decay,
    default: 0.999,
    description: "decay of Adam's second moment",
    immutable: true,
  }),
  epsilon: setting({
    value: 'X',
    expected: 'a number above 0, at most 1',
    schema: z.number().gt(0).max(1),
    default: 1e-8,
    description: "guard of Adam's denominator",
    immutable: true,
  }),
  /** Decay of the averaged generator; `off` keeps none. Never changes what is trained. */
  ema: setting({
    value: 'X|off',
    expected: 'a number from 0 to below 1, or off',
    schema: z.union([decay, z.literal('off')]),
    default: 0.99,
    description: 'decay of the averaged generator, which draws better than the newest weights; off: keep none',
    immutable: true,
  }),
};
