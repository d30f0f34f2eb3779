import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkpointName,
  listCheckpoints,
  newestCheckpoint,
  readCheckpoint,
  stateSha256,
  writeCheckpoint,
} from '../../../../coordinator/checkpoints/checkpoint.ts';
import { toTensors } from '../../../../coordinator/checkpoints/state-tensors.ts';
import { NETS, type TrainingState } from '../../../../coordinator/training/state.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';
import { madeUpState } from '../made-up-state.ts';

const CONFIG = '{"seed":1,"lr":0.0002,"note":"é\\n"}';
const STATE = madeUpState();

function written(state: TrainingState = STATE): string {
  const path = join(scratchFolder(), checkpointName(state.step));
  writeCheckpoint(path, state, CONFIG);
  return path;
}

describe('a checkpoint', () => {
  it('gives the state back to the bit', () => {
    const state = madeUpState();
    state.step = 2 ** 40;
    // Values that printing would lose: minus zero, the smallest subnormal, the largest float32.
    state.generator.parameters.set([-0, 2 ** -149, 3.4028234663852886e38], 5);
    const path = written(state);
    const read = readCheckpoint(path);
    expect(read).toMatchObject({ path, config: CONFIG, stateSha256: stateSha256(state) });
    expect(stateSha256(read.state)).toBe(stateSha256(state));
    expect(read.state).toMatchObject({ spec: dcgan28(1), step: 2 ** 40 });
    for (const net of NETS) {
      const [got, expected] = [read.state[net], state[net]];
      expect(got.batchesTracked).toBe(expected.batchesTracked);
      expect([got.adam.beta1Power, got.adam.beta2Power]).toEqual([expected.adam.beta1Power, expected.adam.beta2Power]);
      const arrays = ({ parameters, adam, statistics }: typeof got) => [parameters, adam.m, adam.v, statistics];
      for (const [i, values] of arrays(got).entries()) {
        const bits = (array: Float32Array | undefined) => Buffer.from(array?.slice().buffer ?? new ArrayBuffer(0));
        expect(bits(values).equals(bits(arrays(expected)[i])), `${net} ${i}`).toBe(true);
      }
      expect(got.parameters.buffer).toBeInstanceOf(SharedArrayBuffer);
    }
  });

  it('keeps the skipped updates, beside the hash of the state', () => {
    const state = madeUpState();
    const sha256 = stateSha256(state);
    state.discriminator.skippedInARow = 2;
    const read = readCheckpoint(written(state));
    expect(NETS.map((net) => read.state[net].skippedInARow)).toEqual([0, 2]);
    expect([read.stateSha256, stateSha256(read.state)]).toEqual([sha256, sha256]);
  });

  it("holds PyTorch's names, layouts and counters", () => {
    const tensors = toTensors(STATE);
    // 22 parameters; m and v of the 20 trained ones; 3 values of 5 BatchNorms; 2 powers a net; the step.
    expect(tensors.size).toBe(22 + 2 * 20 + 3 * 5 + 4 + 1);
    expect(tensors.get('generator.main.3.weight')).toMatchObject({ dtype: 'F32', shape: [128, 64, 4, 4] });
    expect(tensors.get('discriminator.main.3.running_var')).toMatchObject({ dtype: 'F32', shape: [32] });
    expect(tensors.get('discriminator.main.3.num_batches_tracked')).toMatchObject({ dtype: 'I64', shape: [] });
    expect(tensors.get('adam.beta2_power.generator')).toMatchObject({ dtype: 'F64', shape: [] });
    expect(tensors.has('adam.m.discriminator.main.2.bias')).toBe(false);
    // Element (in 5, out 7, h 2, w 3) of the second layer: PyTorch's index 5243, ours 91013 (torch-layout.test.ts).
    const { parameters, layout } = STATE.generator;
    const offset = layout.parameters.find(({ name }) => name === 'main.3.weight')?.offset ?? Number.NaN;
    const bytes = Buffer.from(tensors.get('generator.main.3.weight')?.bytes ?? []);
    expect(bytes.readFloatLE(5243 * 4)).toBe(parameters[offset + 91013]);
  });

  it('is hashed over the bytes of its tensors in order of name, which is the order of the file', () => {
    const path = written();
    const file = readFileSync(path);
    const data = file.subarray(8 + Number(file.readBigUInt64LE(0)));
    expect(createHash('sha256').update(data).digest('hex')).toBe(stateSha256(STATE));
    expect(readCheckpoint(path).stateSha256).toBe(stateSha256(STATE));
  });

  it('reports its size and hash, and leaves no other file', () => {
    const folder = scratchFolder();
    const path = join(folder, 'a.safetensors');
    const { bytes, sha256 } = writeCheckpoint(path, STATE, CONFIG);
    expect(bytes).toBe(readFileSync(path).length);
    expect(sha256).toBe(stateSha256(STATE));
    expect(readdirSync(folder)).toEqual(['a.safetensors']);
  });

  it('says why it cannot be read', async () => {
    const folder = scratchFolder();
    const path = join(folder, 'none.safetensors');
    expect(await errorOf(() => readCheckpoint(path))).toBe(
      `checkpoint: cannot read ${path}: no such file or directory`,
    );
    expect(await errorOf(() => readCheckpoint(folder))).toMatch(
      /^checkpoint: cannot read .*: expected a file, got a folder$/,
    );
  });
});

describe('stateSha256', () => {
  it('changes with every tensor and every counter', () => {
    const hashes = new Set([stateSha256(STATE)]);
    let changes = 0;
    const changed = (change: () => void, undo: () => void): void => {
      change();
      hashes.add(stateSha256(STATE));
      changes++;
      undo();
    };
    const element = (values: Float32Array, i: number): void => {
      const before = values[i] ?? 0;
      changed(
        () => values.fill(before + 1, i, i + 1),
        () => values.fill(before, i, i + 1),
      );
    };
    for (const net of NETS) {
      const { layout, parameters, adam, statistics } = STATE[net];
      for (const { trained, offset, size } of layout.parameters) {
        const last = offset + size - 1;
        element(parameters, last);
        if (trained) for (const moment of [adam.m, adam.v]) element(moment, last);
      }
      for (const { offset, channels } of layout.norms) {
        element(statistics, offset);
        element(statistics, offset + 2 * channels - 1);
      }
      changed(
        () => (adam.beta1Power += 1),
        () => (adam.beta1Power -= 1),
      );
      changed(
        () => (adam.beta2Power += 1),
        () => (adam.beta2Power -= 1),
      );
      changed(
        () => STATE[net].batchesTracked++,
        () => STATE[net].batchesTracked--,
      );
    }
    changed(
      () => STATE.step++,
      () => STATE.step--,
    );
    // 22 parameters, 2 * 20 moments, 2 * 5 statistics, 3 counters a net, the step
    expect(changes).toBe(22 + 40 + 10 + 6 + 1);
    expect(hashes.size).toBe(1 + changes);
  });
});

describe('listCheckpoints', () => {
  it('sorts by step, newest first, and ignores every other file', () => {
    const folder = scratchFolder();
    expect(checkpointName(500)).toBe('step-00000500.safetensors');
    const names = [99_999_999, 100_000_000, 500, 0].map(checkpointName);
    const others = [
      `.${names[0]}.1a2b3c4d.tmp`,
      'step-5.safetensors',
      `${names[0]}.bak`,
      'x-step-00000700.safetensors',
      'notes.txt',
    ];
    for (const name of [...names, ...others]) writeFileSync(join(folder, name), '');
    expect(listCheckpoints(folder)).toEqual(
      ['step-100000000', 'step-99999999', 'step-00000500', 'step-00000000'].map((name) =>
        join(folder, `${name}.safetensors`),
      ),
    );
  });

  it('finds none where there is no folder', () => {
    const folder = join(scratchFolder(), 'none');
    expect(listCheckpoints(folder)).toEqual([]);
    expect(existsSync(folder)).toBe(false);
  });

  it('says that the run folder is missing, or what else is there', async () => {
    const run = join(scratchFolder(), 'run');
    const folder = join(run, 'checkpoints');
    expect(await errorOf(() => listCheckpoints(folder))).toBe(`checkpoint: ${run}: no such folder`);
    writeFileSync(run, '');
    expect(await errorOf(() => listCheckpoints(folder))).toBe(`checkpoint: cannot read ${folder}: not a directory`);
  });
});

describe('newestCheckpoint', () => {
  const cut = (path: string): void => writeFileSync(path, readFileSync(path).subarray(0, 1000));
  function folderOf(steps: readonly number[], damaged: readonly number[]): string {
    const folder = scratchFolder();
    for (const step of steps) {
      const path = join(folder, checkpointName(step));
      writeCheckpoint(path, madeUpState(step), CONFIG);
      if (damaged.includes(step)) cut(path);
    }
    return folder;
  }

  it('is the newest, without a message', () => {
    const messages: string[] = [];
    expect(newestCheckpoint(folderOf([1, 3, 2], []), (message) => messages.push(message)).state.step).toBe(3);
    expect(messages).toEqual([]);
  });

  it('is the one before where newer ones are damaged, each of which is named', () => {
    const messages: string[] = [];
    const folder = folderOf([1, 2, 3], [2, 3]);
    mkdirSync(join(folder, checkpointName(4)));
    expect(newestCheckpoint(folder, (message) => messages.push(message)).state.step).toBe(1);
    expect(messages.map((message) => message.replace(folder, ''))).toEqual([
      expect.stringMatching(/^cannot read \/step-00000004\.safetensors: expected a file, got a folder$/),
      expect.stringMatching(/^\/step-00000003\.safetensors: header of \d+ bytes does not fit into a file of 1000$/),
      expect.stringMatching(/^\/step-00000002\.safetensors: header of \d+ bytes does not fit into a file of 1000$/),
    ]);
  });

  it('names three that are damaged, and counts the others', () => {
    const messages: string[] = [];
    const folder = folderOf([1], []);
    for (let step = 2; step <= 9; step++) writeFileSync(join(folder, checkpointName(step)), 'half');
    newestCheckpoint(folder, (message) => messages.push(message));
    expect(messages.map((message) => /step-0+(\d)|^5 more.*/.exec(message)?.at(-1))).toEqual([
      '9',
      '8',
      '7',
      undefined,
    ]);
    expect(messages[3]).toBe('5 more checkpoints before that are invalid');
  });

  it('says that there is none', async () => {
    const messages: string[] = [];
    const message = (folder: string) => errorOf(() => newestCheckpoint(folder, (text) => messages.push(text)));
    const folder = folderOf([1, 2], [1, 2]);
    const newest = join(folder, checkpointName(2));
    expect(await message(folder)).toMatch(
      `checkpoint: ${folder}: expected a valid checkpoint, got 2 invalid; the newest: ${newest}: header of `,
    );
    const empty = scratchFolder();
    expect(await message(empty)).toBe(`checkpoint: ${empty}: expected a valid checkpoint, got no checkpoint`);
    expect(messages).toEqual([]); // the caller says that it uses the one before
  });
});
