import { expect, it } from 'vitest';
import { twoDigits } from '../../../dashboards/explorer/numbers.ts';

it.each([
  [0.0456, '0.046'],
  [3.456, '3.5'],
  [21.4, '21'],
  [150.2, '150'],
  [1234, '1,200'],
])('the exported page writes %d ms as %s', (value, text) => {
  expect(twoDigits(value)).toBe(text);
});
