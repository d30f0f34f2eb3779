import { describe, expect, it } from 'vitest';
import { ERROR_CODES, FAULT_REASONS, GanglionError } from '../../../shared/error.ts';
import { dcgan28 } from '../../../shared/model/spec.ts';
import { bytesOf, toAnswer, toRequest } from '../../../shared/process-protocol.ts';

const setup = { replica: 0, backend: 'wasm', shardSize: 32, spec: dcgan28(100), seed: 7, shards: 4 };
const compute = { kind: 'compute', call: 3, step: 20, pass: 'real', shard: 2 };
const seconds = { start: 1, prepare: 0.1, compute: 3, copy: 0 };

describe('toRequest', () => {
  it.each([
    { kind: 'start', call: 0, setup },
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
    { ...compute, step: 1.5 },
    { ...compute, pass: 'discriminator' },
    { ...compute, slot: 1 },
    { kind: 'parameters', net: 'real' },
    { kind: 'start', call: 0, setup: { ...setup, shardSize: 0 } },
    { kind: 'start', call: 0, setup: { ...setup, backend: 'cuda' } },
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

describe('toAnswer', () => {
  it('takes what answers a call', () => {
    const ready = { backend: 'tfjs-webgpu', libraryVersion: '4.22.0', threadId: 1, pid: 2 };
    const started = { kind: 'start', call: 0, ready };
    const answer = { ...compute, seconds, tensors: 0 };
    for (const each of [answer, started, { ...started, ready: { ...ready, device: 'a GPU' } }]) {
      expect(toAnswer(each)).toEqual(each);
    }
    expect(() => toAnswer(compute)).toThrow('malformed frame: its header is not a message: seconds');
  });

  it.each(ERROR_CODES)('takes a failure of code %s, with every reason', (code) => {
    for (const reason of FAULT_REASONS) {
      const place = { replica: 1, step: 2, pass: 'fake', shard: 3 };
      const error = new GanglionError(code, 'why', { place, reason }).toPlain();
      expect(toAnswer({ kind: 'failed', call: 1, error })).toEqual({ kind: 'failed', call: 1, error });
    }
    const bare = { code, message: 'why', place: {} };
    expect(toAnswer({ kind: 'failed', call: null, error: bare })).toEqual({ kind: 'failed', call: null, error: bare });
  });
});

it('gives the bytes of an array in place', () => {
  const values = new Float32Array(4);
  bytesOf(values.subarray(1, 2)).set(new Uint8Array(Float32Array.of(5).buffer));
  expect(values).toEqual(Float32Array.of(0, 5, 0, 0));
});
