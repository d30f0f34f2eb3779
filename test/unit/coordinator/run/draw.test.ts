import { expect, it } from 'vitest';
import { checkCount } from '../../../../coordinator/run/draw.ts';
import { dcgan, dcgan28 } from '../../../../shared/model/spec.ts';
import { errorOf } from '../../scratch.ts';

it('draws as many images at once as memory has room for, fewer of larger ones', async () => {
  const large = dcgan({ latentSize: 4, imageSize: 64, channels: 3, width: 0.25 });
  checkCount(65_536, dcgan28(4));
  checkCount(10_000, large); // what an evaluation draws by default
  expect(await errorOf(() => checkCount(65_536, large))).toBe(
    'usage: count 65536: expected at most 10922 images of 64 x 64 x 3',
  );
});
