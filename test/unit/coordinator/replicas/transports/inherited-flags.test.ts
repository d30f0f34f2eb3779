import { describe, expect, it } from 'vitest';
import { flagsForProcess, flagsForThread } from '../../../../../coordinator/replicas/transports/inherited-flags.ts';

describe('flags that a replica takes over', () => {
  const evaluated = [
    ['--input-type=module', '--eval', 'code'],
    ['--input-type=module', '--eval=code'],
    ['-p', 'code'],
    ['-pe', 'code'],
    ['--input-type=module'],
  ];

  it('are those of Node.js and V8, without profilers and inspectors for a process', () => {
    const flags = ['--expose-gc', '--max-old-space-size=99', '--cpu-prof', '--inspect=0'];
    expect(flagsForProcess(flags)).toEqual(['--expose-gc', '--max-old-space-size=99']);
    expect(flagsForThread(flags)).toEqual({});
  });

  it.each(evaluated)('are never those of a program that is text: %s %s %s', (...flags) => {
    expect(flagsForProcess(['--expose-gc', ...flags.filter((flag) => flag !== undefined)])).toEqual(['--expose-gc']);
    expect(flagsForThread(flags)).toEqual({ execArgv: [] });
  });
});
