// The settings that say which member of the model's family a run trains: part of the table of settings.
import { z } from 'zod';
import { IMAGE_SIDES } from '../../shared/model/spec.ts';
import { setting } from './setting.ts';

export const MODEL_SETTINGS = {
  /** Length of the noise vector z. */
  latent: setting({
    value: 'N',
    expected: 'a whole number from 1 to 4096',
    schema: z.int().min(1).max(4096),
    default: 100,
    description: 'length of the noise vector',
    immutable: true,
  }),
  /** Side of the images that are trained on and drawn, in pixels; `auto` is the least that no image is larger than, else the largest. */
  imageSize: setting({
    value: 'N|auto',
    expected: `${IMAGE_SIDES.join(', ')} or auto`,
    schema: z.literal([...IMAGE_SIDES, 'auto']),
    default: 'auto',
    description: `side of the images in pixels: ${IMAGE_SIDES.join(', ')}, or auto: the least that no image is larger than`,
    immutable: true,
  }),
  /** Grey or colour; `auto` is grey where every image is. */
  channels: setting({
    value: '1|3|auto',
    expected: '1, 3 or auto',
    schema: z.literal([1, 3, 'auto']),
    default: 'auto',
    description: '1 for grey images, 3 for colour, or auto: grey where every image is',
    immutable: true,
  }),
  /** Factor on the channels of all layers; which ones there are depends on the size of the images. */
  width: setting({
    value: 'X',
    expected: 'a number from 0.25 to 8',
    schema: z.number().min(0.25).max(8),
    default: 1,
    description: 'factor on the channels of all layers of both nets, such as 0.5 or 2',
    immutable: true,
  }),
};
