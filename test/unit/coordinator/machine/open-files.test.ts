import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openFilesLimit } from '../../../../coordinator/machine/open-files.ts';
import { scratchFolder } from '../../scratch.ts';

it.each([
  [
    'Limit                     Soft Limit           Hard Limit           Units\nMax open files            256                  4096                 files\n',
    256,
  ],
  ['Max open files            unlimited            unlimited            files\n', Number.POSITIVE_INFINITY],
  ['', Number.POSITIVE_INFINITY],
])('%j: %d', (text, limit) => {
  const path = join(scratchFolder(), 'limits');
  writeFileSync(path, text);
  expect(openFilesLimit(path)).toBe(limit);
});

it('is without end where the system does not tell', () => {
  expect(openFilesLimit(join(scratchFolder(), 'none'))).toBe(Number.POSITIVE_INFINITY);
});
