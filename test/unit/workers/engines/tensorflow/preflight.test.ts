import { describe, expect, it } from 'vitest';
import { checkPlatform, checkPrograms } from '../../../../../workers/engines/tensorflow/preflight.ts';
import { CONTENTS, neededBytes } from '../../../../../workers/engines/tensorflow/wheel.ts';

describe('checkPlatform', () => {
  const good = { platform: 'linux', arch: 'x64', glibc: '2.27' };

  it('accepts linux x64 with glibc 2.27 or newer', () => {
    expect(() => checkPlatform(good)).not.toThrow();
    expect(() => checkPlatform({ ...good, glibc: '3.0' })).not.toThrow();
  });

  it.each([
    [{ ...good, platform: 'darwin', arch: 'arm64' }, 'needs linux x64, this is darwin arm64'],
    [{ ...good, arch: 'arm64' }, 'needs linux x64, this is linux arm64'],
    [{ ...good, glibc: '2.17' }, 'needs glibc 2.27 or newer, this system has 2.17'],
    [{ ...good, glibc: undefined }, 'this system has another C library'],
  ])('refuses %o', (platform, message) => {
    expect(() => checkPlatform(platform)).toThrow(message);
  });
});

describe('checkPrograms', () => {
  const all = { python: 'Python 3.11.7', pip: 'pip 23.2.1', gxx: 'g++ 12.2.0' };

  it('names the missing program and how to get it', () => {
    expect(() => checkPrograms(all, { variant: 'cpu' })).not.toThrow();
    expect(() => checkPrograms({ ...all, python: undefined, pip: undefined }, { variant: 'cpu' })).toThrow(
      /^python3 is missing.*npm run setup -- --tensorflow$/,
    );
    expect(() => checkPrograms({ ...all, pip: undefined }, { variant: 'cpu' })).toThrow(
      /^pip is missing.*python3-pip.*npm run setup -- --tensorflow$/,
    );
    expect(() => checkPrograms({ ...all, gxx: undefined }, { variant: 'cpu' })).toThrow(
      /^g\+\+ is missing.*apt install g\+\+.*npm run setup -- --tensorflow$/,
    );
    expect(() => checkPrograms({ ...all, pip: undefined }, { variant: 'gpu' })).toThrow(/-- --tensorflow gpu$/);
  });
});

describe('disk space', () => {
  it('is needed for wheels and library, less for wheels that are kept', () => {
    const { wheels } = CONTENTS.cpu;
    expect(neededBytes('cpu', wheels)).toBeGreaterThan(1.2e9);
    expect(neededBytes('cpu', wheels) - neededBytes('cpu', [])).toBe(273_829_956);
    const [, ...ofCuda] = CONTENTS.gpu.wheels;
    expect(neededBytes('gpu', CONTENTS.gpu.wheels) - neededBytes('gpu', ofCuda)).toBe(572_440_367);
  });
});
