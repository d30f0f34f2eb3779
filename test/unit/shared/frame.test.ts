import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GanglionError } from '../../../shared/error.ts';
import { encodeFrame, FRAME_VERSION, FrameDecoder, MAX_BODY_BYTES, PREFIX_BYTES } from '../../../shared/frame.ts';

interface Frame {
  readonly header: unknown;
  readonly body: Uint8Array;
}

/** A decoder that keeps what it has read, and refuses bodies beyond `most` as a sink does that knows what it expects. */
function keeper(most = 1000): { readonly frames: Frame[]; readonly decoder: FrameDecoder } {
  const frames: Frame[] = [];
  let open: Frame | undefined;
  const decoder = new FrameDecoder({
    open(header, bodyBytes) {
      open = { header, body: new Uint8Array(Math.min(bodyBytes, most)) };
      return open.body;
    },
    complete() {
      if (!open) throw new Error('completed before it was opened');
      frames.push(open);
      open = undefined;
    },
  });
  return { frames, decoder };
}

const toBytes = ({ header, body }: Frame): Uint8Array =>
  Buffer.concat([encodeFrame(header as object, body.length), body]);

/** Reads as a socket does that is given the decoder's own memory, at most `most` bytes at once. */
function readInPlace(decoder: FrameDecoder, bytes: Uint8Array, most: number): void {
  for (let at = 0; at < bytes.length; ) {
    const { space } = decoder;
    const count = Math.min(space.length, bytes.length - at, most);
    expect(count).toBeGreaterThan(0);
    space.set(bytes.subarray(at, at + count));
    at += count;
    decoder.advance(count);
  }
}

const frame = fc.record({
  header: fc.dictionary(
    fc.string().filter((key) => key !== '__proto__'), // which msgpackr renames, so that it can set no prototype
    fc.oneof(
      fc.string(),
      fc.integer(),
      fc.double({ noNaN: true }).map((value) => value + 0),
      fc.boolean(),
    ),
  ),
  body: fc.uint8Array({ maxLength: 200 }),
});

/** The error that reading these bytes ends in. */
function errorOf(bytes: Uint8Array, most?: number): GanglionError {
  try {
    keeper(most).decoder.push(bytes);
  } catch (error) {
    if (error instanceof GanglionError) return error;
    throw error;
  }
  throw new Error('read without an error');
}

describe('frames', () => {
  it('come back equal, whatever the chunks they arrive in', () => {
    const given = fc.array(frame, { maxLength: 5 });
    const cuts = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 });
    fc.assert(
      fc.property(given, cuts, (frames, sizes) => {
        const bytes = Buffer.concat(frames.map(toBytes));
        const pushed = keeper();
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          pushed.decoder.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(pushed.frames).toEqual(frames);
        expect(pushed.decoder.atBoundary).toBe(true);
        const inPlace = keeper();
        readInPlace(inPlace.decoder, bytes, sizes[0] ?? 1);
        expect(inPlace.frames).toEqual(frames);
      }),
    );
  });

  it('carry floats to the bit, into the memory of the one who reads', () => {
    const sent = Float32Array.of(1, -0, Number.NaN, 1e-45, 3.4e38);
    const received = new Float32Array(sent.length);
    const bytes = new Uint8Array(received.buffer);
    const decoder = new FrameDecoder({ open: () => bytes, complete: () => {} });
    decoder.push(Buffer.concat([encodeFrame({ kind: 'test' }, bytes.length), new Uint8Array(sent.buffer)]));
    expect(bytes).toEqual(new Uint8Array(sent.buffer));
  });

  it('say whether the stream stands between two of them', () => {
    const bytes = toBytes({ header: { a: 1 }, body: Uint8Array.of(1, 2, 3) });
    const { decoder } = keeper();
    for (const byte of bytes.subarray(0, -1)) {
      decoder.push(Uint8Array.of(byte));
      expect(decoder.atBoundary).toBe(false);
    }
    decoder.push(bytes.subarray(-1));
    expect(decoder.atBoundary).toBe(true);
  });
});

describe('a malformed frame', () => {
  const whole = (): Uint8Array => toBytes({ header: { kind: 'test', step: 7 }, body: Uint8Array.of(1, 2, 3, 4) });
  const withPrefix = (change: (view: DataView) => void): Uint8Array => {
    const bytes = whole();
    change(new DataView(bytes.buffer, bytes.byteOffset));
    return bytes;
  };

  it.each([
    ['another magic', withPrefix((view) => view.setUint8(0, 0)), /expected magic 46474e47, got/],
    ['another version', withPrefix((view) => view.setUint16(4, FRAME_VERSION + 1, true)), /expected version 1, got 2/],
    ['no header', withPrefix((view) => view.setUint16(6, 0, true)), /expected a header, got 0 bytes/],
    ['too long a body', withPrefix((view) => view.setUint32(8, MAX_BODY_BYTES + 1, true)), /at most \d+ bytes, got/],
    ['a body of another size', withPrefix((view) => view.setUint32(8, 1001, true)), /a body of 1000 bytes, got 1001/],
    ['too short a header', withPrefix((view) => view.setUint16(6, 5, true)), /its header is not msgpack/],
    ['rubbish after the header', withPrefix((view) => view.setUint16(6, 21, true)), /its header is not msgpack/],
    ['rubbish after it', Buffer.concat([whole(), Buffer.from('Segmentation fault')]), /expected magic/],
  ])('with %s is refused in one line', (_, bytes, message) => {
    const error = errorOf(bytes);
    expect(error).toMatchObject({ code: 'replica', reason: 'frame', message: expect.stringMatching(message) });
    expect(error.message).toMatch(/^malformed frame: [^\n]+$/);
  });

  it('of any corruption of one byte is refused, waits for more, or has another header: no memory is made for it', () => {
    const original = { header: { kind: 'test', step: 7, part: 'real', values: [1, 2] }, body: Uint8Array.of(9, 8, 7) };
    const bytes = toBytes(original);
    const headerEnd = bytes.length - original.body.length;
    const before = process.memoryUsage().arrayBuffers;
    for (let at = 0; at < headerEnd; at++) {
      for (let value = 0; value < 256; value++) {
        if (value === bytes[at]) continue;
        const damaged = Uint8Array.from(bytes);
        damaged[at] = value;
        const { decoder, frames } = keeper();
        try {
          decoder.push(damaged);
        } catch (error) {
          expect(error).toMatchObject({ reason: 'frame' });
          continue;
        }
        if (frames.length === 0) expect(decoder.atBoundary).toBe(false);
        else if (at >= PREFIX_BYTES) expect(frames[0]?.header).not.toEqual(original.header);
      }
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 2 ** 20);
  });
});

it('refuses to write what could not be read', () => {
  expect(() => encodeFrame({ text: 'x'.repeat(2 ** 16) }, 0)).toThrow('beyond the format');
  expect(() => encodeFrame({}, MAX_BODY_BYTES + 1)).toThrow('beyond the format');
});
