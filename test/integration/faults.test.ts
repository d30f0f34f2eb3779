// Replicas that fail in every way a thread can: each is reported, replaced and its shard computed again, and the weights are
// those of a run in which nothing happened.
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { start } from './ganglion.ts';

const SCRIPT = fileURLToPath(new URL('../fixtures/train-with-faults.mjs', import.meta.url));
const LAST = 4;
const WAITING = { workers: 2, lastStep: LAST, deadlineMs: 3000 };

interface Plan {
  readonly workers: number;
  readonly lastStep: number;
  readonly deadlineMs?: number;
  /** As in faulty-thread.mjs. */
  readonly faults?: readonly object[];
}

interface Outcome {
  readonly sha256: string;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly reported: { readonly code: string; readonly message: string; readonly place: Record<string, unknown> }[];
  readonly restarts: number;
  readonly status: { readonly id: number; readonly state: string; readonly restarts: number }[];
  readonly starts: { readonly id: number; readonly fromMs: number; readonly toMs: number; readonly threadId: number }[];
  readonly steps: {
    readonly step: number;
    readonly restarts: number;
    readonly tensors: number;
    readonly rss: number;
  }[];
}

async function trainWith(plan: Plan): Promise<Outcome> {
  const { exitCode, stdout, stderr } = await start(process.execPath, ['--expose-gc', SCRIPT, JSON.stringify(plan)])
    .ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return JSON.parse(stdout);
}

/** Fails when two replicas have ever been starting at the same time. */
function expectOneAfterAnother(starts: Outcome['starts']): void {
  const sorted = starts.toSorted((a, b) => a.fromMs - b.fromMs);
  for (const [i, { fromMs }] of sorted.entries()) {
    if (i > 0) expect(fromMs).toBeGreaterThanOrEqual(sorted[i - 1]?.toMs ?? Number.NaN);
  }
}

let quiet: Outcome;
beforeAll(async () => {
  quiet = await trainWith({ workers: 3, lastStep: LAST });
});

it('starts threads one after another', () => {
  expect(quiet.starts.map(({ id }) => id)).toEqual([0, 1, 2]);
  expect(new Set(quiet.starts.map(({ threadId }) => threadId)).size).toBe(3);
  expectOneAfterAnother(quiet.starts);
  expect(quiet).toMatchObject({ failure: null, reported: [], restarts: 0 });
});

describe('a replica that', () => {
  it.each([
    ['throws', 'throw', 'generator', 'replica', /cosmic ray/],
    ['crashes its thread', 'crash', 'discriminator', 'replica', /crashed: cosmic ray/],
    ['exits its thread', 'exit', 'generator', 'replica', /ended with exit code 7/],
    ['gives NaN', 'nan', 'discriminator', 'range', /is NaN, expected a finite value/],
    ['gives NaN', 'nan', 'generator', 'range', /is NaN, expected a finite value/],
  ])('%s once (%s, %s phase) is reported, replaced, and changes no weight', async (_, fault, phase, code, message) => {
    const where = { step: 2, phase, shard: 1 };
    const outcome = await trainWith({ workers: 2, lastStep: LAST, faults: [{ fault, ...where }] });
    expect(outcome.failure).toBeNull();
    const [reported, ...more] = outcome.reported;
    expect(more).toEqual([]);
    expect(reported).toMatchObject({ code, message: expect.stringMatching(message), place: where });
    expect(reported?.message).toMatch(new RegExp(`^replica [01] failed on step 2, ${phase} phase, shard 1: `));
    const lost = reported?.place.replica;
    expect(outcome.restarts).toBe(1);
    expect(outcome.status.find(({ restarts }) => restarts === 1)?.id).toBe(lost);
    expect(outcome.starts.map(({ id }) => id)).toEqual([0, 1, lost]);
    expect(outcome.steps.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    expect(outcome.sha256).toBe(quiet.sha256);
  });
});

describe.concurrent('a deadline', () => {
  it('is kept when a replica never answers', async () => {
    const place = { step: 2, phase: 'discriminator', shard: 1 };
    const outcome = await trainWith({ ...WAITING, faults: [{ fault: 'silent', ...place }] });
    expect(outcome).toMatchObject({ failure: null, restarts: 1, sha256: quiet.sha256 });
    expect(outcome.reported).toEqual([
      {
        code: 'replica',
        message: expect.stringMatching(/gave no answer .* in 3000 ms/),
        place: { replica: expect.any(Number), ...place },
      },
    ]);
  });

  it('makes an answer that comes after it worthless', async () => {
    const faults = [{ fault: 'late', step: 1, phase: 'discriminator', shard: 2 }];
    const outcome = await trainWith({ ...WAITING, faults });
    expect(outcome).toMatchObject({ failure: null, restarts: 1, sha256: quiet.sha256 });
  });

  it('leaves a thread that is stuck for good behind, and the process ends all the same', async () => {
    const faults = [{ fault: 'stuck', step: 1, phase: 'generator', shard: 0 }];
    const outcome = await trainWith({ ...WAITING, faults });
    expect(outcome).toMatchObject({ failure: null, restarts: 1, sha256: quiet.sha256 });
  });
});

it('puts replicas that fail together back one after another', async () => {
  const faults = [0, 1, 2].map((shard) => ({ fault: 'throw', step: 1, phase: 'discriminator', shard }));
  const outcome = await trainWith({ workers: 3, lastStep: LAST, faults });
  expect(outcome).toMatchObject({ failure: null, restarts: 3, sha256: quiet.sha256 });
  expect(outcome.starts.length).toBeGreaterThanOrEqual(5); // the last may find the run at its end
  expectOneAfterAnother(outcome.starts);
});

it('gives up when one shard fails three times, and says which', async () => {
  const faults = [{ fault: 'throw', step: 1, phase: 'generator', shard: 3, times: 99 }];
  const outcome = await trainWith({ workers: 2, lastStep: LAST, faults });
  expect(outcome.failure).toEqual({ code: 'replica', message: expect.stringMatching(/cosmic ray/) });
  expect(outcome.reported).toHaveLength(3);
  for (const { place } of outcome.reported) expect(place).toMatchObject({ step: 1, phase: 'generator', shard: 3 });
  expect(outcome.steps.map(({ step }) => step)).toEqual([1]);
});

it('leaks neither tensors nor memory over 12 restarts', async () => {
  const faults = [{ fault: 'throw', phase: 'generator', shard: 1 }];
  const outcome = await trainWith({ workers: 1, lastStep: 12, faults });
  expect(outcome).toMatchObject({ failure: null, restarts: 12 });
  const { steps } = outcome;
  expect(steps.map(({ tensors }) => tensors)).toEqual(steps.map(() => 0));
  expect((steps.at(-1)?.rss ?? Number.NaN) - (steps[3]?.rss ?? 0)).toBeLessThan(16 * 2 ** 20);
});
