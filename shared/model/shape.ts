// The shape of an array: the length of each of its axes.

/** How many values an array of this shape has; 1 for none. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, length) => size * length, 1);
}
