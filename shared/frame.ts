// Frames of the process transport: a fixed prefix, a small msgpack header, then a raw body. The body stays outside msgpack because
// a typed array that goes through msgpackr comes back as a copied Buffer; here it is read right into the memory it is meant for.
//
//   offset  0  magic "GNGF"     4  version, uint16     6  header length, uint16     8  body length, uint32     12  header, body
//
// Numbers are little-endian, and so are the floats of a body: the memory of x64 and arm64 as it is.
import { Packr } from 'msgpackr/pack'; // without the package's native half
import { GanglionError, messageOf } from './error.ts';

/** Both sides come from one build; another version is a mixed installation. */
export const FRAME_VERSION = 1;
export const PREFIX_BYTES = 12;
/** Largest body: beyond every shard, net and picture that the settings allow. Nothing is allocated by a length on the wire. */
export const MAX_BODY_BYTES = 2 ** 29;
export const MAX_HEADER_BYTES = 2 ** 16 - 1;
const MAGIC = 0x46_47_4e_47;
const packr = new Packr({ useRecords: false });

/** An error for a frame that breaks the format. */
export function malformed(message: string): GanglionError {
  return new GanglionError('replica', `malformed frame: ${message}`, { reason: 'frame' });
}

/**
 * Prefix and header of a frame; `bodyBytes` bytes follow it on the wire.
 *
 * @param header plain values that msgpack knows
 */
export function encodeFrame(header: object, bodyBytes: number): Uint8Array {
  const packed = packr.pack(header);
  if (packed.length > MAX_HEADER_BYTES || bodyBytes > MAX_BODY_BYTES) {
    throw new Error(`a frame of ${packed.length} + ${bodyBytes} bytes is beyond the format`);
  }
  const bytes = new Uint8Array(PREFIX_BYTES + packed.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, FRAME_VERSION, true);
  view.setUint16(6, packed.length, true);
  view.setUint32(8, bodyBytes, true);
  bytes.set(packed, PREFIX_BYTES);
  return bytes;
}

/** What takes the frames of a stream. */
export interface FrameSink {
  /**
   * Checks a header and gives the memory, of exactly `bodyBytes`, that its body is read into.
   *
   * @throws when the header is not acceptable
   */
  open(header: unknown, bodyBytes: number): Uint8Array;
  /** The frame opened last is complete. */
  complete(): void;
}

/**
 * Cuts a stream of bytes into frames, however it arrives. A chunk goes in by {@link push}; a reader that can read into given memory
 * reads into {@link space} and calls {@link advance}, and a body is then never copied.
 */
export class FrameDecoder {
  readonly #sink: FrameSink;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  readonly #prefixView = new DataView(this.#prefix.buffer);
  #part: 'prefix' | 'header' | 'body' = 'prefix';
  #target: Uint8Array = this.#prefix;
  #filled = 0;
  #bodyBytes = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Whether the bytes so far end between two frames. */
  get atBoundary(): boolean {
    return this.#part === 'prefix' && this.#filled === 0;
  }

  /** Where the next bytes belong; never empty. */
  get space(): Uint8Array {
    return this.#filled === 0 ? this.#target : this.#target.subarray(this.#filled);
  }

  /**
   * The first `count` bytes of {@link space} are there.
   *
   * @throws GanglionError with reason `frame`; the stream cannot be read on then
   */
  advance(count: number): void {
    this.#filled += count;
    while (this.#filled === this.#target.length) this.#finishPart();
  }

  /** @throws GanglionError with reason `frame`; the stream cannot be read on then */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const count = Math.min(chunk.length - at, this.#target.length - this.#filled);
      this.#target.set(chunk.subarray(at, at + count), this.#filled);
      at += count;
      this.advance(count);
    }
  }

  #finishPart(): void {
    if (this.#part === 'prefix') {
      this.#expect('header', new Uint8Array(this.#checkedHeaderBytes()));
    } else if (this.#part === 'header') {
      this.#expect('body', this.#opened(this.#target));
    } else {
      this.#expect('prefix', this.#prefix);
      this.#sink.complete();
    }
  }

  #expect(part: 'prefix' | 'header' | 'body', target: Uint8Array): void {
    this.#part = part;
    this.#target = target;
    this.#filled = 0;
  }

  #checkedHeaderBytes(): number {
    const view = this.#prefixView;
    const magic = view.getUint32(0, true);
    if (magic !== MAGIC) throw malformed(`expected magic ${MAGIC.toString(16)}, got ${magic.toString(16)}`);
    const version = view.getUint16(4, true);
    if (version !== FRAME_VERSION) throw malformed(`expected version ${FRAME_VERSION}, got ${version}`);
    const headerBytes = view.getUint16(6, true);
    if (headerBytes === 0) throw malformed('expected a header, got 0 bytes');
    this.#bodyBytes = view.getUint32(8, true);
    if (this.#bodyBytes > MAX_BODY_BYTES) {
      throw malformed(`expected a body of at most ${MAX_BODY_BYTES} bytes, got ${this.#bodyBytes}`);
    }
    return headerBytes;
  }

  #opened(packed: Uint8Array): Uint8Array {
    let header: unknown;
    try {
      header = packr.unpack(packed);
    } catch (error) {
      throw malformed(`its header is not msgpack: ${messageOf(error)}`);
    }
    const body = this.#sink.open(header, this.#bodyBytes);
    if (body.length !== this.#bodyBytes)
      throw malformed(`expected a body of ${body.length} bytes, got ${this.#bodyBytes}`);
    return body;
  }
}
