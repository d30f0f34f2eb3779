// workers/service.ts: which engine it asks for, and in which order it answers.
import { expect, it } from 'vitest';
import type { Backend } from '../../../shared/backend.ts';
import { GanglionError } from '../../../shared/error.ts';
import { replicaService } from '../../../workers/service.ts';
import { FakeEngine, setupOf } from './fake-engine.ts';

/** A service on an engine whose every run waits until it is let go. */
async function slowService() {
  const engine = new FakeEngine();
  const waiting: (() => void)[] = [];
  let slow = false;
  const load: FakeEngine['load'] = (program) => {
    const executor = FakeEngine.prototype.load.call(engine, program);
    return {
      ...executor,
      run: async (inputs) => {
        const outputs = await executor.run(inputs);
        if (slow) await new Promise<void>((go) => waiting.push(go));
        return outputs;
      },
    };
  };
  const service = replicaService(async () => Object.assign(Object.create(engine), { load }));
  expect(await service.start(setupOf())).toMatchObject({ ok: true, ready: { backend: 'fake', libraryVersion: '0' } });
  slow = true;
  engine.runs.length = 0;
  const programs = () => engine.runs.map(({ program }) => program);
  const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
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
