// Runs that are killed at a chosen system call, and what their logs say afterwards.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { expectWhole, oneTo, stepsOf, summaryOf } from './ganglion.ts';

export const LAST = 6;
export const TRAIN = [
  ...['train', '--workers', '1', '--batch', '32', '--shards', '4', '--latent', '16', '--metrics-port', 'off'],
  ...['--steps', String(LAST), '--checkpoint-every', '2', '--samples-every', '2'],
];

/** Compiles what kills a process. @param library to preload */
export function compileKiller(library: string): void {
  const source = fileURLToPath(new URL('../fixtures/kill-at.c', import.meta.url));
  execFileSync('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl']);
}

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

/** Fails unless a run has ended as one that was never killed, and every log has each step once. */
export async function expectSameEnd(run: string, stateSha256: unknown): Promise<void> {
  expect(summaryOf(run)).toMatchObject({ step: LAST, stateSha256, lostSteps: 0, repeatedSteps: 0 });
  expect(stepsOf(run)).toEqual(oneTo(LAST));
  expect(tensorBoardSteps(run)).toEqual({ curves: oneTo(LAST), samples: [0, 2, 4, 6] });
  for (const step of [2, 4, 6]) {
    expect(existsSync(join(run, 'samples', `step-${String(step).padStart(8, '0')}.png`))).toBe(true);
  }
  await expectWhole(run);
}
