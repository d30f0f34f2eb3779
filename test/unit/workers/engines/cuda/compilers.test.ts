// Which compiler makes the kernels for a GPU, and which kernels a GPU runs.
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { findNvcc } from '../../../../../workers/engines/cuda/build.ts';
import { suitableCapabilities } from '../../../../../workers/engines/cuda/library.ts';
import { scratchFolder } from '../../../scratch.ts';

describe('findNvcc', () => {
  const { PATH } = process.env;
  afterEach(() => {
    process.env.PATH = PATH;
  });

  it.each([
    ['echo "Cuda compilation tools, release 12.4, V12.4.131"', 12090, 'nvcc'],
    ['echo "Cuda compilation tools, release 13.0, V13.0.88"', 13000, 'nvcc'],
    ['echo "Cuda compilation tools, release 13.0, V13.0.88"', 12090, undefined], // the driver would not take its kernels
    ['echo nothing that it says', 13000, undefined],
    ['exit 1', 13000, undefined],
  ])('%s with a driver of %i', async (script, driverVersion, expected) => {
    const folder = scratchFolder();
    writeFileSync(join(folder, 'nvcc'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, 'nvcc'), 0o755);
    process.env.PATH = `${folder}:/usr/bin:/bin`;
    expect(await findNvcc(driverVersion)).toBe(expected);
  });
});

it('a GPU runs its own kernels, or older ones of its generation', () => {
  expect(suitableCapabilities(89)).toEqual([89, 88, 87, 86, 85, 84, 83, 82, 81, 80]);
  expect(suitableCapabilities(90)).toEqual([90]);
  expect(suitableCapabilities(121)).toEqual([121, 120]);
});
