import { describe, expect, it } from 'vitest';
import { ProtobufWriter } from '../../../../../coordinator/monitoring/tensorboard/protobuf.ts';

const hexOf = (writer: ProtobufWriter): string => Buffer.from(writer.finish()).toString('hex');

// Bytes from https://protobuf.dev/programming-guides/encoding/ where it has them.
describe('ProtobufWriter', () => {
  it('writes varints: 150 and "testing" as the guide has them, and numbers of more than 32 bits', () => {
    expect(hexOf(new ProtobufWriter().integer(1, 150))).toBe('089601');
    expect(hexOf(new ProtobufWriter().string(2, 'testing'))).toBe('120774657374696e67');
    expect(hexOf(new ProtobufWriter().integer(1, 0).integer(16, 127).integer(1, 128))).toBe('080080017f088001');
    expect(hexOf(new ProtobufWriter().integer(1, 2 ** 35))).toBe('08808080808001');
    expect(hexOf(new ProtobufWriter().integer(1, Number.MAX_SAFE_INTEGER))).toBe('08ffffffffffffff0f');
  });

  it('writes floats and doubles as IEEE 754 has them, low byte first', () => {
    expect(hexOf(new ProtobufWriter().float(2, 1))).toBe('150000803f');
    expect(hexOf(new ProtobufWriter().double(1, -2))).toBe('0900000000000000c0');
    expect(hexOf(new ProtobufWriter().float(2, Number.NaN))).toBe('150000c07f');
  });

  it('writes messages in messages, and grows', () => {
    expect(hexOf(new ProtobufWriter().message(3, new ProtobufWriter().integer(1, 150)))).toBe('1a03089601');
    const bytes = new Uint8Array(100_000).fill(7);
    const written = new ProtobufWriter().integer(1, 1).bytes(2, bytes).integer(3, 2).finish();
    expect(written.length).toBe(2 + 1 + 3 + 100_000 + 2);
    expect([...written.subarray(0, 6), ...written.subarray(-3)]).toEqual([8, 1, 0x12, 0xa0, 0x8d, 6, 7, 24, 2]);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 53])('refuses %d as an integer', (value) => {
    expect(() => new ProtobufWriter().integer(1, value)).toThrow(`expected a whole number of at least 0, got ${value}`);
  });
});
