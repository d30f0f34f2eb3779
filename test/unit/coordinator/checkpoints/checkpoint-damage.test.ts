// coordinator/checkpoints/checkpoint.ts: what it refuses, and how it says so.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCheckpoint, sha256OfTensors, writeCheckpoint } from '../../../../coordinator/checkpoints/checkpoint.ts';
import { toTensors } from '../../../../coordinator/checkpoints/state-tensors.ts';
import { encodeSafetensors, type StoredTensor, toBytes } from '../../../../shared/safetensors.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';
import { madeUpState } from '../made-up-state.ts';

const STATE = madeUpState();
const CONFIG = '{"seed":1,"lr":0.0002}';

const CONFIG_SHA256 = createHash('sha256').update(CONFIG).digest('hex');

/** A file of altered tensors with right hashes. */
function fileOf(change: (tensors: Map<string, StoredTensor>) => void, metadata: Record<string, string> = {}): Buffer {
  const tensors = toTensors(STATE);
  change(tensors);
  const hashes = { configSha256: CONFIG_SHA256, stateSha256: sha256OfTensors(tensors) };
  const file = { metadata: { format: 'ganglion-1', config: CONFIG, ...hashes, ...metadata }, tensors };
  return Buffer.from(encodeSafetensors(file));
}

const WHOLE = fileOf(() => {});
const HEADER = WHOLE.toString('latin1', 8, 8 + Number(WHOLE.readBigUInt64LE(0)));

/** The error that reading the bytes gives, with the path left out; it must begin with the path. */
async function refusal(bytes: Uint8Array): Promise<string> {
  const path = join(scratchFolder(), 'a.safetensors');
  writeFileSync(path, bytes);
  const message = await errorOf(() => readCheckpoint(path));
  expect(message).toContain(`checkpoint: ${path}: `);
  return message.replace(`checkpoint: ${path}: `, '');
}

/** The file with one bit flipped in the byte `within` bytes after the beginning of `text` in the header. */
function flippedAt(text: string, within = 0, bit = 1): Buffer {
  const at = HEADER.indexOf(text);
  if (at < 0 || text.length === 0) throw new Error(`no ${text} in the header`);
  return flipped(8 + at + within, bit);
}

function flipped(at: number, bit = 1): Buffer {
  const bytes = Buffer.from(WHOLE);
  bytes[at] = (bytes[at] ?? 0) ^ bit;
  return bytes;
}

describe('one flipped bit', () => {
  it('is all that is wrong: the file without it is the one that is written', () => {
    const path = join(scratchFolder(), 'a.safetensors');
    writeCheckpoint(path, STATE, CONFIG);
    expect(readFileSync(path).equals(WHOLE)).toBe(true);
    expect(readCheckpoint(path).config).toBe(CONFIG);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('in byte %i of the length', async (at) => {
    expect(await refusal(flipped(at))).toMatch(/^header (of \d+ bytes does not fit|is not JSON)/);
  });

  it('in the syntax of the header', async () => {
    expect(await refusal(flipped(8))).toMatch(/^header is not JSON/); // {
  });

  it('in tensor data: the first and the last byte, and the first of every fifth tensor', async () => {
    const first = 8 + HEADER.length;
    const offsets = [...HEADER.matchAll(/"data_offsets":\[(\d+),/g)].map(([, begin]) => first + Number(begin));
    expect(offsets.length).toBe(toTensors(STATE).size);
    for (const at of [...offsets.filter((_, i) => i % 5 === 0), WHOLE.length - 1]) {
      expect(await refusal(flipped(at)), `byte ${at}`).toMatch(/^altered: expected SHA-256 \w{64}, got \w{64}$/);
    }
  });

  it('in the stored hash', async () => {
    const at = '"stateSha256":"'.length;
    expect(await refusal(flippedAt('"stateSha256":"', at))).toMatch(/^altered: expected SHA-256 /);
    expect(await refusal(flippedAt('"stateSha256":"', at + 63))).toMatch(/^altered: expected SHA-256 /);
  });

  it('in the names of the metadata or the format', async () => {
    for (const text of ['format":', 'stateSha256":', 'config":', 'ganglion-1"']) {
      expect(await refusal(flippedAt(text)), text).toBe('not a checkpoint of Ganglion (expected format ganglion-1)');
    }
  });

  it('in the config', async () => {
    const altered = 'altered: its config does not have the SHA-256 stored with it';
    // 1 -> 3: the run would go on with another seed.
    expect(await refusal(flippedAt('seed\\":1', 'seed\\":'.length, 2))).toBe(altered);
    expect(await refusal(flippedAt('"configSha256":"', '"configSha256":"'.length))).toBe(altered);
    expect(await refusal(flippedAt('configSha256":'))).toBe(altered);
  });

  it('in the name, type, shape or place of a tensor', async () => {
    const name = '"discriminator.main.0.bias":{"dtype":"F32","shape":[16],"data_offsets":[';
    // i -> h: the order of names stays, so the hash is right
    expect(await refusal(flippedAt(name, 2))).toBe('tensor discriminator.main.0.bias is missing');
    const malformed = 'tensor discriminator.main.0.bias has a malformed header entry';
    expect(await refusal(flippedAt(name, name.indexOf('F32')))).toBe(malformed);
    // 6 -> 7: seventeen values; 1 -> 3 in the offset's first digit
    expect(await refusal(flippedAt(name, name.indexOf('16') + 1))).toBe(
      'tensor discriminator.main.0.bias expected 68 bytes, got 64',
    );
    expect(await refusal(flippedAt(name, name.length, 2))).toMatch(
      /^tensor discriminator\.main\.0\.bias begins at \d+, expected \d+$/,
    );
  });
});

describe('a cut or longer file', () => {
  it('is refused at every kind of boundary', async () => {
    const header = 8 + HEADER.length;
    for (const length of [0, 7, 8, 9, header - 1, header, header + 1, WHOLE.length - 1]) {
      expect(await refusal(WHOLE.subarray(0, length)), `${length} bytes`).toMatch(
        /^(expected at least 8 bytes|header of|header is not JSON|truncated)/,
      );
    }
    expect(await refusal(Buffer.concat([WHOLE, Buffer.alloc(1)]))).toBe('1 bytes after the last tensor');
  });
});

describe('a whole file of other content', () => {
  const one: StoredTensor = { dtype: 'F32', shape: [1], bytes: toBytes(Float32Array.of(1)) };

  it('another latent length in one tensor', async () => {
    const bytes = fileOf((tensors) => {
      const shape = [2, 128, 4, 4];
      tensors.set('generator.main.0.weight', { dtype: 'F32', shape, bytes: toBytes(new Float32Array(2 * 2048)) });
    });
    // The latent length is that of the weight; its moments no longer fit.
    expect(await refusal(bytes)).toBe(
      'tensor adam.m.generator.main.0.weight expected F32 [2,128,4,4], got F32 [1,128,4,4]',
    );
  });

  it('a missing tensor, whichever it is', async () => {
    for (const name of ['generator.main.0.weight', 'adam.v.discriminator.main.8.bias', 'counters.step']) {
      const bytes = fileOf((tensors) => tensors.delete(name));
      expect(await refusal(bytes)).toBe(`tensor ${name} is missing`);
    }
  });

  it('a further tensor', async () => {
    expect(await refusal(fileOf((tensors) => tensors.set('zzz', one)))).toBe('unknown tensor zzz');
  });

  it('a tensor of another shape or type', async () => {
    expect(await refusal(fileOf((tensors) => tensors.set('generator.main.4.bias', one)))).toBe(
      'tensor generator.main.4.bias expected F32 [64], got F32 [1]',
    );
    expect(await refusal(fileOf((tensors) => tensors.set('counters.step', { ...one, shape: [] })))).toBe(
      'tensor counters.step expected I64 [], got F32 []',
    );
  });

  it('a latent length of millions in an empty tensor', async () => {
    const shape = [4_000_000_000, 0, 4, 4];
    const bytes = fileOf((tensors) =>
      tensors.set('generator.main.0.weight', { dtype: 'F32', shape, bytes: new Uint8Array(0) }),
    );
    expect(await refusal(bytes)).toMatch(/tensor generator\.main\.0\.weight expected/);
  });

  it('counters that are not those of their hash, or none', async () => {
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
    const altered = 'altered: its counters do not have the SHA-256 stored with them';
    const counters = '{"skippedInARow":{"generator":2,"discriminator":0}}';
    const damages = [
      { counters },
      { countersSha256: sha256(counters) },
      { counters, countersSha256: sha256(`${counters} `) },
      ...['', '{', '[]', '{"skippedInARow":{"generator":-1,"discriminator":0}}', '[['.repeat(50_000)].map((text) => {
        return { counters: text, countersSha256: sha256(text) };
      }),
    ];
    for (const metadata of damages) expect(await refusal(fileOf(() => {}, metadata))).toBe(altered);
  });

  it('another format, and another safetensors file', async () => {
    const expected = 'not a checkpoint of Ganglion (expected format ganglion-1)';
    expect(await refusal(fileOf(() => {}, { format: 'ganglion-2' }))).toBe(expected);
    expect(await refusal(encodeSafetensors({ metadata: {}, tensors: new Map([['a', one]]) }))).toBe(expected);
  });
});

describe('numbers that no training comes to, with right hashes', () => {
  /** The file with one value of a tensor replaced. */
  function fileWith(name: string, value: number | bigint): Buffer {
    return fileOf((tensors) => {
      const tensor = tensors.get(name);
      if (!tensor) throw new Error(`no tensor ${name}`);
      const bytes = Uint8Array.from(tensor.bytes);
      const view = new DataView(bytes.buffer);
      const last = bytes.length - (tensor.dtype === 'F32' ? 4 : 8);
      if (typeof value === 'bigint') view.setBigInt64(last, value, true);
      else if (tensor.dtype === 'F32') view.setFloat32(last, value, true);
      else view.setFloat64(last, value, true);
      tensors.set(name, { ...tensor, bytes });
    });
  }

  it.each([
    ['generator.main.0.weight', Number.NaN, 'finite numbers, got NaN'],
    ['discriminator.main.8.bias', Number.NEGATIVE_INFINITY, 'finite numbers, got -Infinity'],
    ['adam.m.generator.main.3.weight', Number.POSITIVE_INFINITY, 'finite numbers, got Infinity'],
    ['adam.v.discriminator.main.3.weight', -1e-30, 'finite numbers of at least 0, got -1.0000000031710769e-30'],
    ['adam.v.generator.main.9.weight', Number.NaN, 'finite numbers of at least 0, got NaN'],
    ['discriminator.main.3.running_mean', Number.NaN, 'finite numbers, got NaN'],
    ['generator.main.1.running_var', -2, 'finite numbers of at least 0, got -2'],
    ['adam.beta1_power.generator', 1.5, 'a number from 0 to 1, got 1.5'],
    ['adam.beta2_power.discriminator', Number.NaN, 'a number from 0 to 1, got NaN'],
  ])('tensor %s with %f', async (name, value, expected) => {
    expect(await refusal(fileWith(name, value))).toBe(`tensor ${name}: expected ${expected}`);
  });

  it.each([
    ['counters.step', -1n, /^expected counters.step from 0 to 1099511627776, got -1$/],
    ['counters.step', 2n ** 62n, /^expected counters.step from 0 to 1099511627776, got 4611686018427388000$/],
    ['generator.main.1.num_batches_tracked', -5n, /^layers of the generator count different batches$/],
  ])('counter %s at %d', async (name, value, expected) => {
    expect(await refusal(fileWith(name, value))).toMatch(expected);
  });

  it('more batches tracked than steps have', async () => {
    const path = join(scratchFolder(), 'a.safetensors');
    for (const batches of [-1, 13, 2 ** 60]) {
      const state = madeUpState(4);
      state.discriminator.batchesTracked = batches;
      writeCheckpoint(path, state, CONFIG);
      expect(await errorOf(() => readCheckpoint(path))).toMatch(
        /expected discriminator's num_batches_tracked from 0 to 12, got /,
      );
    }
  });

  it('more skipped updates in a row than steps', async () => {
    const path = join(scratchFolder(), 'a.safetensors');
    const state = madeUpState(4);
    state.generator.skippedInARow = 5;
    writeCheckpoint(path, state, CONFIG);
    expect(await errorOf(() => readCheckpoint(path))).toContain(
      "expected generator's skipped updates from 0 to 4, got 5",
    );
  });

  it('the step of another name', async () => {
    const folder = scratchFolder();
    const right = join(folder, 'step-00000012.safetensors');
    const wrong = join(folder, 'step-00000013.safetensors');
    for (const path of [right, wrong]) writeCheckpoint(path, STATE, CONFIG);
    expect(readCheckpoint(right).state.step).toBe(12);
    expect(await errorOf(() => readCheckpoint(wrong))).toBe(
      `checkpoint: ${wrong}: expected the state of step 13, as its name says, got 12`,
    );
  });
});
