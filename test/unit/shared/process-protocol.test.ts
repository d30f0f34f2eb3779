import { describe, expect, it } from 'vitest';
import { ERROR_CODES, FAULT_REASONS, GanglionError } from '../../../shared/error.ts';
import { dcgan28 } from '../../../shared/model/spec.ts';
import { bytesOf, toAnswer, toRequest } from '../../../shared/process-protocol.ts';
import { shardOutcomeOf } from '../../../shared/shard-outcome.ts';

const setup = { replica: 0, backend: 'wasm', shardSize: 32, spec: dcgan28(100), seed: 7, shards: 4 };
const job = { step: 20, pass: 'real', shard: 2 };
const compute = { kind: 'compute', call: 3, job };
const seconds = { start: 1, prepare: 0.1, compute: 3, copy: 0 };

describe('toRequest', () => {
  it.each([
    { kind: 'start', call: 0, setup },
    { kind: 'start', call: 0, setup: { ...setup, realLabel: 0.75 } },
    { kind: 'parameters', net: 'generator' },
    compute,
    { kind: 'sample', call: 1, seed: 7, count: 64 },
    { kind: 'stop', call: 9 },
  ])('takes %j', (request) => {
    expect(toRequest(request)).toEqual(request);
  });

  it.each([
    undefined,
    null,
    7,
    [],
    {},
    { kind: 'reboot', call: 1 },
    { ...compute, call: -1 },
    { ...compute, job: { ...job, step: 1.5 } },
    { ...compute, job: { ...job, pass: 'discriminator' } },
    { ...compute, job: { ...job, slot: 1 } },
    { ...compute, slot: 1 },
    { kind: 'parameters', net: 'real' },
    { kind: 'start', call: 0, setup: { ...setup, shardSize: 0 } },
    { kind: 'start', call: 0, setup: { ...setup, backend: 'gpu' } },
    { kind: 'start', call: 0, setup: { ...setup, realLabel: 'one' } },
  ])('refuses %j as a malformed frame, in one line', (request) => {
    let refused: unknown;
    try {
      toRequest(request);
    } catch (error) {
      refused = error;
    }
    expect(refused).toMatchObject({
      code: 'replica',
      reason: 'frame',
      message: expect.stringMatching(/^malformed frame: its header is not a message: [^\n]+$/),
    });
  });
});

const good = { ok: true, ...job, seconds, tensors: 0 };

describe('toAnswer', () => {
  it('takes what answers a call', () => {
    const ready = { engine: 'tfjs-webgpu', libraryVersion: '4.22.0', threadId: 1, pid: 2 };
    const started = (given: object) => ({ kind: 'start', call: 0, outcome: { ok: true, ready: given } });
    const answers = [
      { kind: 'compute', call: 3, outcome: good },
      { kind: 'compute', call: 3, outcome: { ...good, seconds: { ...seconds, precompute: { start: 1, seconds: 2 } } } },
      started(ready),
      started({ ...ready, device: 'a GPU' }),
      { kind: 'sample', call: 1, outcome: { ok: true } },
      { kind: 'stop', call: 1, outcome: { ok: true } },
    ];
    for (const answer of answers) expect(toAnswer(answer)).toEqual(answer);
    const without = { kind: 'compute', call: 3, outcome: { ok: true, ...job, tensors: 0 } };
    expect(() => toAnswer(without)).toThrow('malformed frame: its header is not a message: outcome.seconds');
  });

  it.each(ERROR_CODES)('takes a failure of code %s, with every reason, and a crash', (code) => {
    for (const reason of FAULT_REASONS) {
      const place = { replica: 1, step: 2, pass: 'fake', shard: 3 };
      const outcome = { ok: false, error: new GanglionError(code, 'why', { place, reason }).toPlain() };
      for (const kind of ['start', 'compute', 'sample', 'stop']) {
        expect(toAnswer({ kind, call: 1, outcome })).toEqual({ kind, call: 1, outcome });
      }
    }
    const crashed = { kind: 'crashed', error: { code, message: 'why', place: {} } };
    expect(toAnswer(crashed)).toEqual(crashed);
  });
});

describe('shardOutcomeOf', () => {
  const bad = { ok: false, error: { code: 'range', message: 'x is NaN', place: {}, reason: 'range' } };
  const outcomes: object[] = [good, { ...good, seconds: { ...seconds, precompute: { start: 1, seconds: 2 } } }, bad];
  /** Every part of a value, by its path. */
  const partsOf = (value: unknown): { path: string[]; part: unknown }[] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, part]) => [
          { path: [key], part },
          ...partsOf(part).map((inner) => ({ ...inner, path: [key, ...inner.path] })),
        ])
      : [];
  /** A copy in which one part is another one; left out for `undefined`. */
  const change = (value: unknown, [key, ...path]: string[], part: unknown): unknown => {
    if (key === undefined) return part;
    const { [key]: own, ...rest } = value as Record<string, unknown>;
    const changed = change(own, path, part);
    return changed === undefined ? rest : { ...rest, [key]: changed };
  };

  it.each(outcomes)('takes %j', (outcome) => {
    expect(shardOutcomeOf(outcome)).toEqual(outcome);
  });

  it('refuses a part of another type, one too many, or none', () => {
    const isOptional = (path: string[]) => ['precompute', 'reason'].includes(path.at(-1) ?? '');
    const compared = outcomes.flatMap((outcome) =>
      partsOf(outcome).flatMap(({ path, part }) =>
        [undefined, null, 7n, [], 'text', !part, Number.NaN, -0.5]
          .filter((other) => typeof other !== typeof part || part === true || typeof part === 'object')
          .filter((other) => !(other === undefined && isOptional(path)))
          .map((other) => change(outcome, path, other)),
      ),
    );
    expect(compared.length).toBeGreaterThan(100);
    expect(compared.filter((outcome) => shardOutcomeOf(outcome) !== undefined)).toEqual([]);
    for (const value of [null, undefined, 1, 'x', [], {}, { ...good, more: 1 }, { ...good, tensors: 0.5 }])
      expect(shardOutcomeOf(value)).toBeUndefined();
  });
});

it('gives the bytes of an array in place', () => {
  const values = new Float32Array(4);
  bytesOf(values.subarray(1, 2)).set(new Uint8Array(Float32Array.of(5).buffer));
  expect(values).toEqual(Float32Array.of(0, 5, 0, 0));
});
