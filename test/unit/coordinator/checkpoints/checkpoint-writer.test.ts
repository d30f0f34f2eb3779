import { describe, expect, it } from 'vitest';
import type { CheckpointJob } from '../../../../coordinator/checkpoints/checkpoint-job.ts';
import type { WrittenFile } from '../../../../coordinator/checkpoints/checkpoint-thread.ts';
import {
  CheckpointWriter,
  type CheckpointWriterOptions,
  type WrittenCheckpoint,
} from '../../../../coordinator/checkpoints/checkpoint-writer.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { errorOf } from '../../scratch.ts';
import { LATENT, madeUpState } from '../made-up-state.ts';

/** Promises settle in turns of the event loop: after this, everything has happened that can. */
const quiet = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A writer whose thread and disk do nothing until told to; what happens is listed in `events`. */
function writerWithStubs(options: Partial<CheckpointWriterOptions> = {}) {
  const clock = { ms: 1000 };
  const events: string[] = [];
  const jobs: CheckpointJob[] = [];
  const written: WrittenCheckpoint[] = [];
  const held: number[] = [];
  let synced: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  let finished: { resolve: (file: WrittenFile) => void; reject: (error: unknown) => void } | undefined;
  const writer = new CheckpointWriter({
    folder: 'checkpoints',
    config: '{"seed":1}',
    ticket: null,
    keep: null,
    spec: dcgan28(LATENT),
    syncLogs: () => {
      events.push('sync');
      return new Promise((resolve, reject) => {
        synced = { resolve, reject };
      });
    },
    thread: {
      write: (job) => {
        events.push(`write ${job.state.step}`);
        jobs.push(job);
        return new Promise((resolve, reject) => {
          finished = { resolve, reject };
        });
      },
      close: async () => {
        events.push('close');
      },
    },
    onWritten: (checkpoint) => {
      events.push(`written ${checkpoint.step}`);
      written.push(checkpoint);
    },
    onHeld: (seconds) => held.push(seconds),
    now: () => clock.ms,
    ...options,
  });
  /** Saves a state and notes when the loop may go on. */
  const save = (step: number): Promise<void> =>
    writer.save(madeUpState(step)).then(() => {
      events.push(`saved ${step}`);
    });
  return {
    clock,
    events,
    jobs,
    written,
    held,
    writer,
    save,
    endSync: async (error?: unknown) => {
      if (error === undefined) synced?.resolve();
      else synced?.reject(error);
      await quiet();
    },
    endWrite: async (result: WrittenFile | GanglionError) => {
      if (result instanceof GanglionError) finished?.reject(result);
      else finished?.resolve(result);
      await quiet();
    },
  };
}

const FILE: WrittenFile = { bytes: 77, sha256: 'ab' };
const FULL = new GanglionError('environment', 'cannot write a: no space left on device');

describe('CheckpointWriter', () => {
  it('lets the loop go on once the state is copied, and writes only after the log is on the disk', async () => {
    const { events, save, endSync, endWrite } = writerWithStubs();
    await save(5);
    await quiet();
    expect(events).toEqual(['sync', 'saved 5']);
    await endSync();
    expect(events).toEqual(['sync', 'saved 5', 'write 5']);
    await endWrite(FILE);
    expect(events).toEqual(['sync', 'saved 5', 'write 5', 'written 5']);
  });

  it('writes the state as it was when saved, in the same memory each time', async () => {
    const { jobs, writer, endSync, endWrite } = writerWithStubs();
    const state = madeUpState(5);
    await writer.save(state);
    const before = state.generator.parameters[3];
    state.generator.parameters[3] = 99;
    state.step = 6;
    await endSync();
    expect(jobs[0]).toMatchObject({ path: 'checkpoints/step-00000005.safetensors', config: '{"seed":1}' });
    expect(jobs[0]?.state.step).toBe(5);
    expect(jobs[0]?.state.generator.parameters[3]).toBe(before);
    await endWrite(FILE);
    await writer.save(state);
    await endSync();
    expect(jobs[1]?.path).toBe('checkpoints/step-00000006.safetensors');
    expect(jobs[1]?.state.generator.parameters[3]).toBe(99);
    expect(jobs[1]?.state.generator.parameters).toBe(jobs[0]?.state.generator.parameters);
  });

  it('skips none: the next waits for the one before', async () => {
    const { events, save, endSync, endWrite } = writerWithStubs();
    await save(5);
    const next = save(6);
    await endSync();
    expect(events).toEqual(['sync', 'saved 5', 'write 5']);
    await endWrite(FILE);
    await next;
    await endSync();
    expect(events.slice(3)).toEqual(['written 5', 'sync', 'saved 6', 'write 6']);
  });

  it('tells how long the loop was held, and how long the checkpoint took from its copy', async () => {
    const { clock, held, written, save, endSync, endWrite } = writerWithStubs();
    await save(5); // at 1.0 s
    clock.ms = 1500;
    const next = save(6); // waits from 1.5 s to 4 s
    await endSync();
    clock.ms = 4000;
    await endWrite(FILE);
    await next;
    clock.ms = 4250;
    await endSync();
    await endWrite({ bytes: 78, sha256: 'cd' });
    expect(held).toEqual([0, 2.5]);
    expect(written).toEqual([
      { ...FILE, path: 'checkpoints/step-00000005.safetensors', step: 5, seconds: 3 },
      { bytes: 78, sha256: 'cd', path: 'checkpoints/step-00000006.safetensors', step: 6, seconds: 0.25 },
    ]);
  });

  it('settles to the newest checkpoint, or to none', async () => {
    const { writer, written, save, endSync, endWrite } = writerWithStubs();
    expect(await writer.settle()).toBeUndefined();
    await save(5);
    const settled = writer.settle();
    await endSync();
    await endWrite(FILE);
    expect(await settled).toBe(written[0]);
    expect(await writer.settle()).toMatchObject({ step: 5, sha256: 'ab' });
  });

  it.each(['the log', 'the checkpoint'])('fails every later call when %s cannot be written', async (what) => {
    const { writer, events, save, endSync, endWrite } = writerWithStubs();
    await save(5);
    writer.check();
    if (what === 'the log') await endSync(FULL);
    else {
      await endSync();
      await endWrite(FULL);
    }
    const expected = `environment: ${FULL.message}`;
    expect(await errorOf(() => writer.check())).toBe(expected);
    expect(await errorOf(() => save(6))).toBe(expected);
    expect(await errorOf(() => writer.settle())).toBe(expected);
    expect(events).toEqual(what === 'the log' ? ['sync', 'saved 5'] : ['sync', 'saved 5', 'write 5']);
    await writer.close();
  });

  it('closes after the one under way, whichever way that ends', async () => {
    const { writer, events, save, endSync, endWrite } = writerWithStubs();
    await save(5);
    const closed = writer.close();
    await endSync();
    expect(events).not.toContain('close');
    await endWrite(FULL);
    await closed;
    expect(events).toEqual(['sync', 'saved 5', 'write 5', 'close']);
  });
});

it('removes none while it is not known which is the best', async () => {
  let known: ReadonlyMap<number, number> | null = null;
  const { writer, save, jobs, endSync, endWrite } = writerWithStubs({ keep: 1, distances: () => known });
  await save(1);
  known = new Map([[1, 5]]); // the logs wait for it
  await endSync();
  expect(jobs[0]).toMatchObject({ keep: 1, distances: new Map([[1, 5]]) });
  await endWrite(FILE);
  known = null; // at a stop they do not
  await save(2);
  await endSync();
  expect(jobs[1]).toMatchObject({ keep: null });
  await endWrite(FILE);
  await writer.close();
});
