import { cpus } from 'node:os';
import { expect, it } from 'vitest';
import { describeEnvironment } from '../../../../coordinator/run-folder/environment.ts';

it('names versions, system and processor of this machine', () => {
  const environment = describeEnvironment({ engine: 'tensorflow-cpu', libraryVersion: '2.21.0' });
  expect(environment).toMatchObject({
    ganglion: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    node: process.version,
    engine: 'tensorflow-cpu',
    libraryVersion: '2.21.0',
    os: expect.stringMatching(/^.+, Linux \d/),
    architecture: process.arch,
    cpu: cpus()[0]?.model.trim(),
    logicalCores: cpus().length,
  });
  expect(environment.memoryBytes).toBeGreaterThan(2 ** 28);
  expect(environment.physicalCores).toBeLessThanOrEqual(cpus().length);
});
