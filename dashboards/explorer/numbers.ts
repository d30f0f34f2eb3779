// Numbers as the exported page writes them.

/** A number above 0 by its first two digits, never with an exponent: 3.5, 21, 150. */
export function twoDigits(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 2 });
}
