// workers/replica/service.ts: which engine it asks for, and in which order it answers.
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../../../shared/backend.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { fillNormal } from '../../../../shared/random.ts';
import { ProgramEngine } from '../../../../workers/engines/program-engine.ts';
import { replicaService } from '../../../../workers/replica/service.ts';
import { FakeRunner, LATENT, SHARD_SIZE, setupOf } from './fake-engine.ts';

/** A service on an engine whose every run waits until it is let go. */
async function slowService() {
  const engine = new FakeRunner();
  const waiting: (() => void)[] = [];
  let slow = false;
  const load: FakeRunner['load'] = (program) => {
    const executor = FakeRunner.prototype.load.call(engine, program);
    return {
      ...executor,
      run: async (inputs) => {
        const outputs = await executor.run(inputs);
        if (slow) await new Promise<void>((go) => waiting.push(go));
        return outputs;
      },
    };
  };
  const service = replicaService(async () => new ProgramEngine(Object.assign(Object.create(engine), { load })));
  expect(await service.start(setupOf())).toMatchObject({ ok: true, ready: { engine: 'fake', libraryVersion: '0' } });
  slow = true;
  engine.runs.length = 0;
  const programs = () => engine.runs.map(({ program }) => program);
  const settle = () => new Promise((resolve) => setTimeout(() => setImmediate(resolve), 1));
  return { engine, service, waiting, programs, settle };
}

it('computes one shard after another, in the order of the calls, and stops when they are done', async () => {
  const { engine, service, waiting, programs, settle } = await slowService();
  const answered: string[] = [];
  const note = (what: string) => () => answered.push(what);
  const calls = [
    service.compute({ step: 1, pass: 'fake', shard: 0, slot: 0 }).then(note('fake')),
    service.compute({ step: 1, pass: 'generator', shard: 0, slot: 1 }).then(note('generator')),
    service.sample({ seed: 1, count: 1, statistics: new Float32Array(448) }).then(note('sample')),
    service.stop().then(note('stop')),
  ];
  for (const [i, expected] of ['fake', 'generator', 'samples'].entries()) {
    await settle();
    expect(programs()).toHaveLength(i + 1); // the next has not begun
    expect(programs()[i]).toBe(expected);
    expect(engine.disposed).toBe(0);
    waiting[i]?.();
  }
  await Promise.all(calls);
  expect(answered).toEqual(['fake', 'generator', 'sample', 'stop']);
  expect(engine.disposed).toBe(4);
});

it('sends a result before the next shard blocks the thread', async () => {
  const { service, waiting, programs, settle } = await slowService();
  const first = service.compute({ step: 1, pass: 'fake', shard: 0, slot: 0 });
  const second = service.compute({ step: 1, pass: 'fake', shard: 1, slot: 1 });
  await settle();
  waiting[0]?.();
  await first;
  for (let tick = 0; tick < 20; tick++) await Promise.resolve(); // a transport takes some to hand the result over
  expect(programs()).toEqual(['fake']);
  await settle();
  expect(programs()).toEqual(['fake', 'fake']);
  waiting[1]?.();
  await second;
});

describe('what is precomputed', () => {
  /** A service on an engine that can precompute generator passes; `precomputed` has the noise of each. */
  async function eagerService() {
    const engine = new FakeRunner();
    const precomputed: { readonly z: Float32Array | undefined; dropped: boolean; dispose(): void }[] = [];
    const load: FakeRunner['load'] = (program) => {
      const executor = FakeRunner.prototype.load.call(engine, program);
      if (!program.lateInputs) return executor;
      const precompute = async ({ z }: Readonly<Record<string, Float32Array>>) => {
        const made = {
          z,
          dropped: false,
          dispose() {
            made.dropped = true;
          },
        };
        precomputed.push(made);
        return made;
      };
      return { ...executor, precompute };
    };
    const service = replicaService(async () => new ProgramEngine(Object.assign(Object.create(engine), { load })));
    await service.start(setupOf());
    engine.runs.length = 0;
    /** Waits until so many passes have been precomputed. */
    const reached = (count: number) => expect.poll(() => precomputed.length).toBe(count);
    const compute = (pass: 'fake' | 'generator', shard: number, step = 1) =>
      service.compute({ step, pass, shard, slot: shard % 2 === 0 ? 0 : 1 });
    return { engine, service, precomputed, reached, compute };
  }
  const noise = (step: number, shard: number) =>
    fillNormal({ seed: 11, stream: 'generatorNoise', time: step, part: shard }, new Float32Array(SHARD_SIZE * LATENT));

  it('is the generator pass of the shards whose fake pass was here, the newest first, and is used', async () => {
    const { engine, precomputed, reached, compute } = await eagerService();
    await Promise.all([compute('fake', 0), compute('fake', 2)]);
    expect(precomputed).toEqual([]); // not before the answers
    await reached(2);
    expect(precomputed.map(({ z }) => z)).toEqual([noise(1, 2), noise(1, 0)]);
    const outcome = await compute('generator', 2);
    expect(outcome).toMatchObject({ ok: true, seconds: { precompute: { start: expect.any(Number) } } });
    const other = await compute('generator', 1);
    expect(other).toMatchObject({ ok: true });
    expect(other).not.toHaveProperty('seconds.precompute');
    expect(engine.runs.map((run) => run.precomputed)).toEqual([undefined, undefined, precomputed[0], undefined]);
    expect(engine.runs[2]?.inputs.z).toEqual(noise(1, 2));
  });

  it('waits while something is wanted', async () => {
    const { precomputed, compute } = await eagerService();
    await Promise.all([compute('fake', 0), compute('generator', 0)]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(precomputed).toEqual([]);
  });

  it('is left for later, not left out, while something is wanted', async () => {
    const { precomputed, reached, compute } = await eagerService();
    await compute('fake', 0);
    await Promise.all([compute('fake', 1), compute('fake', 2)]); // wanted before the pass of shard 0 has begun
    await reached(3);
    expect(precomputed.map(({ z }) => z)).toEqual([noise(1, 2), noise(1, 1), noise(1, 0)]);
  });

  it('is dropped with its step, and at the end', async () => {
    const { service, precomputed, reached, compute } = await eagerService();
    await compute('fake', 3);
    await reached(1);
    await compute('fake', 3, 2);
    expect(precomputed.map(({ dropped }) => dropped)).toEqual([true]);
    await reached(2);
    expect(precomputed.map(({ z }) => z)).toEqual([noise(1, 3), noise(2, 3)]);
    await service.stop();
    expect(precomputed.map(({ dropped }) => dropped)).toEqual([true, true]);
  });

  it('is nothing that anyone waits for: an error of it is none of the shard', async () => {
    const broken = replicaService(async () => {
      const engine = new FakeRunner();
      const load: FakeRunner['load'] = (program) => ({
        ...FakeRunner.prototype.load.call(engine, program),
        precompute: async () => {
          throw new Error('no memory');
        },
      });
      return new ProgramEngine(Object.assign(Object.create(engine), { load }));
    });
    await broken.start(setupOf());
    expect(await broken.compute({ step: 1, pass: 'fake', shard: 0, slot: 0 })).toMatchObject({ ok: true });
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await broken.compute({ step: 1, pass: 'generator', shard: 0, slot: 0 })).toMatchObject({ ok: true });
    await broken.stop();
  });
});

it('goes on with the next call when one has failed', async () => {
  const { service, waiting, programs, settle } = await slowService();
  const failed = service.compute({ step: 1, pass: 'real', shard: 2, slot: 0 }); // without pixels
  const next = service.compute({ step: 1, pass: 'fake', shard: 3, slot: 1 });
  expect(await failed).toMatchObject({ ok: false, error: { message: expect.stringContaining('carries pixels') } });
  await settle();
  expect(programs()).toEqual(['fake']);
  waiting[0]?.();
  expect(await next).toMatchObject({ ok: true, step: 1, pass: 'fake', shard: 3 });
});

it('asks for the backend of its setup, and says why it cannot have it', async () => {
  const asked: Backend[] = [];
  const service = replicaService(async (backend) => {
    asked.push(backend);
    throw new GanglionError('environment', 'no adapter');
  });
  expect(await service.start({ ...setupOf(), backend: 'webgpu' })).toMatchObject({
    ok: false,
    error: { code: 'environment', message: 'replica 6 failed: no adapter' },
  });
  expect(asked).toEqual(['webgpu']);
});
