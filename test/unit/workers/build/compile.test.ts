import { describe, expect, it } from 'vitest';
import { toCompileError } from '../../../../workers/build/compile.ts';

describe('toCompileError', () => {
  it('quotes the first error of the compiler and names the log', () => {
    const output = 'In file included from a.cc:1:\nb.h:2:10: fatal error: c.h: No such file\ncompilation terminated.\n';
    expect(toCompileError('the add-on', { exitCode: 1, output }, '/cache/setup-compile.log', 'g++').message).toBe(
      'g++ could not compile the add-on (exit code 1: b.h:2:10: fatal error: c.h: No such file); its output is in /cache/setup-compile.log',
    );
  });

  it('falls back to the last line', () => {
    expect(toCompileError('the add-on', { exitCode: null, output: 'one\nKilled\n' }, '/l', 'g++').message).toMatch(
      /exit code none: Killed\)/,
    );
  });
});
