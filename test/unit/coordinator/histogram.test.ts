import fc from 'fast-check';
import { Histogram as PromHistogram, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { Histogram } from '../../../coordinator/histogram.ts';

const NAME = 'seconds';
const OPTIONS = { name: NAME, help: 'Of a part.', buckets: [0.001, 0.5, 1, 10] };
const PARTS = [
  { phase: 'a', part: 'sum' },
  { phase: 'a', part: 'adam' },
  { phase: 'b', part: 'sum' },
];
/** On a bound, between bounds, beyond the last, and any. */
const seconds = fc.oneof(fc.constantFrom(0, 0.001, 0.5, 1, 10, 11), fc.double({ min: 0, max: 20, noNaN: true }));

/** Both texts are of the same observations, those of a part under labels and all of them without. */
async function textsOf(observed: readonly (readonly [part: number, value: number])[]) {
  const [own, theirs] = [new Registry(), new Registry()];
  const labelled = new Histogram({ ...OPTIONS, registers: [own] });
  const series = PARTS.map((labels) => labelled.series(labels));
  const plain = new Histogram({ ...OPTIONS, name: 'plain', registers: [own] }).series();
  const names = { labelNames: ['phase', 'part'], registers: [theirs] };
  const promLabelled = new PromHistogram({ ...OPTIONS, buckets: [...OPTIONS.buckets], ...names });
  const promPlain = new PromHistogram({ ...OPTIONS, name: 'plain', registers: [theirs] });
  // prom-client shows series in the order of their first observations.
  for (const [part, value] of observed.toSorted(([a], [b]) => a - b)) {
    series[part]?.observe(value);
    promLabelled.observe(PARTS[part] ?? {}, value);
    plain.observe(value);
    promPlain.observe(value);
  }
  return [await own.metrics(), await theirs.metrics()];
}

it("is written down as prom-client's own, byte for byte", async () => {
  const observations = fc.array(fc.tuple(fc.nat(PARTS.length - 1), seconds), { maxLength: 40 });
  const property = fc.asyncProperty(observations, async (observed) => {
    const [own, theirs] = await textsOf(observed);
    expect(own).toBe(theirs);
  });
  await fc.assert(property, { numRuns: 200 });
});

it('goes on counting after a scrape, and shows a labelled series from its first observation on', async () => {
  const registry = new Registry();
  const histogram = new Histogram({ ...OPTIONS, registers: [registry] });
  const series = histogram.series({ part: 'sum' });
  expect(await registry.metrics()).not.toContain('part="sum"');
  for (const value of [0.25, 0.75]) {
    series.observe(value);
    await registry.metrics();
  }
  const text = await registry.metrics();
  expect(text).toContain(`${NAME}_bucket{le="0.5",part="sum"} 1\n${NAME}_bucket{le="1",part="sum"} 2\n`);
  expect(text).toContain(`${NAME}_sum{part="sum"} 1\n${NAME}_count{part="sum"} 2`);
});
