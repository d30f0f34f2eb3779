// A run killed at a chosen system call goes on as if it had never been killed: no log lacks a step of the checkpoint from which it does, and
// none has a step twice.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { expectWhole, oneTo, scratchFolder, startGanglion, stepsOf, succeed, summaryOf } from './ganglion.ts';

const scratch = scratchFolder('kills');
const LIBRARY = scratch('kill-at.so');
const SOURCE = fileURLToPath(new URL('../fixtures/kill-at.c', import.meta.url));
const LAST = 6;
const TRAIN = ['train', '--workers', '1', '--batch', '32', '--shards', '4', '--latent', '16', '--metrics-port', 'off'];
const RECORDED = ['--steps', String(LAST), '--checkpoint-every', '2', '--samples-every', '1'];
let expected: unknown;

beforeAll(async () => {
  execFileSync('cc', ['-shared', '-fPIC', '-o', LIBRARY, SOURCE, '-ldl']);
  await succeed([...TRAIN, ...RECORDED, '--run', scratch('whole')]);
  expected = summaryOf(scratch('whole')).stateSha256;
});

/** A field of a protobuf message: a varint as a number, a message as bytes; other types are left out. */
function* fieldsOf(message: Buffer): Generator<readonly [field: number, value: number | Buffer]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = message.readUInt8(at++);
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const type = key & 7;
    if (type === 0) yield [key >> 3, varint()];
    else if (type === 2) {
      const length = varint();
      at += length;
      yield [key >> 3, message.subarray(at - length, at)];
    } else at += type === 1 ? 8 : 4;
  }
}

/** Steps that TensorBoard shows of the curves and of the samples: what a later file says it begins again is forgotten. */
function tensorBoardSteps(run: string): { curves: number[]; samples: number[] } {
  let shown: { step: number; isCurves: boolean }[] = [];
  const files = readdirSync(run).filter((name) => name.startsWith('events.out.tfevents.'));
  for (const file of files.sort()) {
    const bytes = readFileSync(join(run, file));
    for (let at = 0; at + 12 < bytes.length; ) {
      const length = bytes.readUInt32LE(at);
      const event = new Map(fieldsOf(bytes.subarray(at + 12, at + 12 + length)));
      at += 12 + length + 4;
      const step = Number(event.get(2) ?? 0);
      if (event.has(7)) shown = shown.filter((one) => one.step < step);
      const summary = event.get(5);
      if (summary instanceof Buffer) shown.push({ step, isCurves: summary.includes('loss/D') });
    }
  }
  const stepsWhere = (isCurves: boolean) => shown.filter((one) => one.isCurves === isCurves).map(({ step }) => step);
  return { curves: stepsWhere(true), samples: stepsWhere(false) };
}

// Every call of a start: test/slow/killed-start.test.ts.
it.concurrent.each([
  ['mkdir', 'samples', 'before'],
  ['write', '.config.json', 'half'],
  ['write', '.step-00000000', 'half'],
])('while its folder is made, at a %s of %s: the same command begins it again', async (call, path, when) => {
  const run = scratch(`begun-${path.length}`); // without the path in its name
  const command = [...TRAIN, ...RECORDED, '--run', run, '--resume', 'auto'];
  const env = { LD_PRELOAD: LIBRARY, KILL_CALL: call, KILL_PATH: path, KILL_WHEN: when };
  expect((await startGanglion(command, { env }).ended).signal).toBe('SIGKILL');
  expect(await succeed(command)).toMatch(/^training: /);
  expect(summaryOf(run)).toMatchObject({ step: LAST, stateSha256: expected, lostSteps: 0, repeatedSteps: 0 });
  expect(stepsOf(run)).toEqual(oneTo(LAST));
  await expectWhole(run);
});

it.concurrent.each([
  ['rename', 'step-00000002.safetensors', 'after', '1'],
  ['rename', 'step-00000004.safetensors', 'before', '1'],
  ['write', 'metrics.jsonl', 'half', '3'],
  ['write', 'events.jsonl', 'after', '2'],
])('at a %s of %s, %s the call', async (call, path, when, nth) => {
  const run = scratch(`killed-${call}-${when}-${nth}`);
  const env = { LD_PRELOAD: LIBRARY, KILL_CALL: call, KILL_PATH: path, KILL_WHEN: when, KILL_NTH: nth };
  const { signal } = await startGanglion([...TRAIN, ...RECORDED, '--run', run], { env }).ended;
  expect(signal).toBe('SIGKILL');
  await succeed(['train', '--resume', run]);
  expect(summaryOf(run)).toMatchObject({ step: LAST, stateSha256: expected, lostSteps: 0, repeatedSteps: 0 });
  expect(stepsOf(run)).toEqual(oneTo(LAST));
  expect(tensorBoardSteps(run)).toEqual({ curves: oneTo(LAST), samples: [0, ...oneTo(LAST)] });
  for (const step of oneTo(LAST)) {
    expect(existsSync(join(run, 'samples', `step-${String(step).padStart(8, '0')}.png`))).toBe(true);
  }
  await expectWhole(run);
});
