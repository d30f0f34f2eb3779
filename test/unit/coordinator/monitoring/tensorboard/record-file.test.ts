import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { maskedCrc, RecordFile, toRecord } from '../../../../../coordinator/monitoring/tensorboard/record-file.ts';
import { canMount, errorOf, scratchFolder, smallFileSystem } from '../../../scratch.ts';

const unmask = (masked: number): number => {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
};

describe('toRecord', () => {
  it('has CRC-32C with the masked form that TensorFlow wants', () => {
    // RFC 3720, B.4: 32 bytes of zeros, of ones, and 0 to 31; and the common check value of "123456789".
    const vectors: [Uint8Array, number][] = [
      [new Uint8Array(32), 0x8a9136aa],
      [new Uint8Array(32).fill(255), 0x62a8ab43],
      [Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
      [Buffer.from('123456789'), 0xe3069283],
    ];
    for (const [bytes, crc] of vectors) expect(unmask(maskedCrc(bytes))).toBe(crc);
  });

  it('frames data by its length and two checksums', () => {
    const record = Buffer.from(toRecord(Buffer.from('123456789')));
    expect(record.length).toBe(8 + 4 + 9 + 4);
    expect(record.readBigUInt64LE(0)).toBe(9n);
    expect(record.readUInt32LE(8)).toBe(maskedCrc(record.subarray(0, 8)));
    expect(record.toString('latin1', 12, 21)).toBe('123456789');
    expect(unmask(record.readUInt32LE(21))).toBe(0xe3069283);
  });
});

describe('RecordFile', () => {
  const opened = (path: string): RecordFile => {
    const file = new RecordFile(path);
    onTestFinished(() => file.close());
    return file;
  };

  it('keeps records until they are flushed, in order', () => {
    const path = join(scratchFolder(), 'records');
    const file = opened(path);
    const records = ['a', 'bc', ''].map((text) => toRecord(Buffer.from(text)));
    for (const text of ['a', 'bc']) file.append(Buffer.from(text));
    expect(readFileSync(path)).toHaveLength(0);
    file.flush();
    expect(readFileSync(path)).toHaveLength(17 + 18);
    file.append(Buffer.from(''));
    file.flush();
    file.flush();
    expect(readFileSync(path)).toEqual(Buffer.concat(records));
  });

  it('leaves a file alone that is there already', async () => {
    const path = join(scratchFolder(), 'records');
    writeFileSync(path, 'mine');
    expect(await errorOf(() => new RecordFile(path))).toMatch(
      /^environment: cannot write .*records: file already exists/,
    );
    expect(readFileSync(path, 'utf8')).toBe('mine');
  });

  it.skipIf(!canMount)('ends with a whole record on a disk that becomes full', async () => {
    const folder = smallFileSystem(64);
    const path = join(folder, 'records');
    const file = opened(path);
    file.append(new Uint8Array(30_000));
    file.flush();
    file.append(new Uint8Array(20_000)); // half of what comes now would fit
    file.append(new Uint8Array(20_000));
    expect(await errorOf(() => file.flush())).toBe(`environment: cannot write ${path}: no space left on device`);
    expect(readFileSync(path)).toEqual(Buffer.from(toRecord(new Uint8Array(30_000))));
    file.append(new Uint8Array(10_000));
    file.flush();
    expect(readFileSync(path)).toHaveLength(30_016 + 10_016);
  });
});
