import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkCompiler, checkMachine } from '../../../../../workers/engines/kernels/requirements.ts';
import { scratchFolder } from '../../../scratch.ts';

const cpuinfo = (flags: string) => `processor\t: 0\nflags\t\t: fpu ${flags} rdrand\n`;
const GOOD = { platform: 'linux', arch: 'x64', cpuinfo: cpuinfo('avx2 fma') };

describe('checkMachine', () => {
  it('accepts Linux and macOS on x64 with AVX2 and FMA, on arm64, and a processor of which nothing is known', () => {
    expect(() => checkMachine(GOOD, {})).not.toThrow();
    expect(() => checkMachine({ ...GOOD, arch: 'arm64', cpuinfo: 'Features\t: fp asimd\n' }, {})).not.toThrow();
    expect(() => checkMachine({ platform: 'darwin', arch: 'arm64', cpuinfo: undefined }, {})).not.toThrow();
    expect(() => checkMachine({ ...GOOD, cpuinfo: undefined }, {})).not.toThrow();
    expect(() => checkMachine({ ...GOOD, cpuinfo: 'model name: none\n' }, {})).not.toThrow();
  });

  it.each([
    [{ ...GOOD, platform: 'win32' }, 'the kernels need Linux or macOS on x64 or arm64, this is win32 x64'],
    [{ ...GOOD, arch: 'ia32' }, 'the kernels need Linux or macOS on x64 or arm64, this is linux ia32'],
    [{ ...GOOD, cpuinfo: cpuinfo('avx fma') }, 'this processor has no AVX2 and FMA, which the kernels need'],
    [{ ...GOOD, cpuinfo: cpuinfo('avx2 fma4') }, 'this processor has no AVX2 and FMA, which the kernels need'],
  ])('refuses %o', (machine, message) => {
    expect(() => checkMachine(machine, {})).toThrow(expect.objectContaining({ code: 'environment', message }));
  });

  it('refuses everywhere when GANGLION_KERNELS says so, and a wrong value', () => {
    expect(() => checkMachine(GOOD, { GANGLION_KERNELS: 'off' })).toThrow('switched off by GANGLION_KERNELS');
    expect(() => checkMachine(GOOD, { GANGLION_KERNELS: 'fast' })).toThrow('expected on, off, avx2, exact, got "fast"');
  });
});

it.each(['g++', 'clang++'])('checkCompiler takes %s on the PATH, and says how to get a compiler', (name) => {
  const folder = scratchFolder();
  expect(() => checkCompiler({ PATH: folder })).toThrow(/^g\+\+ is missing.*apt install g\+\+.*npm run setup$/);
  writeFileSync(join(folder, name), '');
  chmodSync(join(folder, name), 0o755);
  expect(() => checkCompiler({ PATH: folder })).not.toThrow();
});
