// A file of TensorFlow's records (TFRecord), to which TensorBoard's events are appended: length, checksum of the length, data, checksum
// of the data. tensorflow/core/lib/io/record_writer.h. The only module that knows CRC-32C.
import { closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { Crc32c } from '@aws-crypto/crc32c';
import { appendWholeSync, fromSystemError, syncFile, syncFolder } from '../../files/atomic-file.ts';
import { checkOwned } from '../../files/owned-folders.ts';

/** Bytes around the data of a record. */
const HEADER = 12;
const FOOTER = 4;
/** Added to a rotated checksum, so that one of data that has checksums in it is still a good one. */
const MASK_DELTA = 0xa282ead8;

/** CRC-32C (Castagnoli), masked as TensorFlow does. */
export function maskedCrc(data: Uint8Array): number {
  const crc = new Crc32c().update(data).digest();
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}

/** @param data fewer than 2^32 bytes */
export function toRecord(data: Uint8Array): Uint8Array {
  const record = Buffer.allocUnsafe(HEADER + data.length + FOOTER);
  record.writeUInt32LE(data.length, 0);
  record.writeUInt32LE(0, 4); // the upper half of the length
  record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8);
  record.set(data, HEADER);
  record.writeUInt32LE(maskedCrc(data), HEADER + data.length);
  return record;
}

/** Records wait in memory until they are flushed; on the disk there are whole ones only. */
export class RecordFile {
  readonly #path: string;
  readonly #descriptor: number;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #length = 0;

  /** @throws GanglionError `environment` when the file is there already, or cannot be made */
  constructor(path: string) {
    this.#path = path;
    try {
      checkOwned(path);
      this.#descriptor = openSync(path, 'ax');
      syncFolder(dirname(path));
    } catch (error) {
      throw fromSystemError(`cannot write ${path}`, error);
    }
  }

  append(data: Uint8Array): void {
    const record = toRecord(data);
    this.#waiting.push(record);
    this.#bytes += record.length;
  }

  /** @throws GanglionError `environment` when the disk is full; what waited is gone then, and the file ends with a whole record */
  flush(): void {
    if (this.#bytes === 0) return;
    const bytes = Buffer.concat(this.#waiting, this.#bytes);
    this.#waiting = [];
    this.#bytes = 0;
    this.#length += appendWholeSync(this.#path, this.#descriptor, this.#length, bytes);
  }

  /** Resolves once what was flushed would outlast a power cut; it must not be closed meanwhile. @throws GanglionError `environment` */
  sync(): Promise<void> {
    return syncFile(this.#path, this.#descriptor);
  }

  /** What waits is lost unless it was flushed. */
  close(): void {
    closeSync(this.#descriptor);
  }
}
