import { describe, expect, it } from 'vitest';
import { checkInProcess, toCompileError } from '../../../../workers/build/compile.ts';

const { signal } = new AbortController();

describe('toCompileError', () => {
  it('quotes the first error of the compiler and names the log', () => {
    const output = 'In file included from a.cc:1:\nb.h:2:10: fatal error: c.h: No such file\ncompilation terminated.\n';
    expect(toCompileError('the add-on', { exitCode: 1, output }, '/cache/setup-compile.log', 'g++').message).toBe(
      'g++ could not compile the add-on (exit code 1: b.h:2:10: fatal error: c.h: No such file); its output is in /cache/setup-compile.log',
    );
  });

  it.each([
    ['/p/addon.js:3\n  require(addon).compile();\n  ^\n\nError: error: NVRTC does not load: x.so\n    at [eval]:3:1\n'],
    ['NVRTC does not load: x.so\n'],
  ])('says of %j what is wrong alone', (output) => {
    expect(toCompileError('the kernels', { exitCode: 1, output }, '/l', 'NVRTC').message).toMatch(
      /\(exit code 1: NVRTC does not load: x\.so\)/,
    );
  });

  it('falls back to the last line', () => {
    expect(toCompileError('the add-on', { exitCode: null, output: 'one\nKilled\n' }, '/l', 'g++').message).toMatch(
      /exit code none: Killed\)/,
    );
  });
});

it('checkInProcess says why an add-on does not load, in one line', async () => {
  const load = checkInProcess('require(process.argv[1])', { what: 'the add-on', addonPath: '/nowhere.node' }, signal);
  await expect(load).rejects.toThrow(
    /^the add-on does not load on this machine \(exit code 1\): Cannot find module '\/nowhere/,
  );
});
