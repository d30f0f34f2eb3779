// Writes protobuf messages: the few wire types that TensorBoard's events have. No library for it is among the dependencies.
// https://protobuf.dev/programming-guides/encoding/

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;
/** Bytes of the longest varint: 64 bits, 7 a byte. */
const MOST_VARINT = 10;

/** One message; fields are written in the order of the calls. */
export class ProtobufWriter {
  #buffer: Buffer = Buffer.allocUnsafe(256);
  #length = 0;

  /** A field of type `double`. */
  double(field: number, value: number): this {
    this.#key(field, FIXED64);
    this.#length = this.#room(8).writeDoubleLE(value, this.#length);
    return this;
  }

  /** A field of type `float`. */
  float(field: number, value: number): this {
    this.#key(field, FIXED32);
    this.#length = this.#room(4).writeFloatLE(value, this.#length);
    return this;
  }

  /** A field of type `int32`, `int64` or an enum, which must not be negative. @param value a safe integer */
  integer(field: number, value: number): this {
    this.#key(field, VARINT);
    this.#varint(value);
    return this;
  }

  /** A field of type `string`. */
  string(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value));
  }

  /** A field of type `bytes`. */
  bytes(field: number, value: Uint8Array): this {
    this.#key(field, LENGTH_DELIMITED);
    this.#varint(value.length);
    this.#room(value.length).set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** A field that is a message of its own. */
  message(field: number, value: ProtobufWriter): this {
    return this.bytes(field, value.finish());
  }

  /** The bytes so far; they hold until more is written. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  #key(field: number, type: number): void {
    this.#varint(field * 8 + type);
  }

  #varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`expected a whole number of at least 0, got ${value}`);
    }
    const buffer = this.#room(MOST_VARINT);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) buffer[this.#length++] = (rest % 128) + 128;
    buffer[this.#length++] = rest;
  }

  /** The buffer, with room for so many bytes more. */
  #room(bytes: number): Buffer {
    const needed = this.#length + bytes;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length));
      larger.set(this.finish());
      this.#buffer = larger;
    }
    return this.#buffer;
  }
}
