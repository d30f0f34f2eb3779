import { describe, expect, it } from 'vitest';
import { exitCodeOfStop } from '../../../../coordinator/commands/stop-signals.ts';

describe('exit code of a run that was stopped', () => {
  it.each([
    ['SIGINT', 0],
    ['SIGTERM', 0],
    ['SIGHUP', 75],
    ['SIGUSR1', 75],
    ['SIGUSR2', 75],
    ['SIGXCPU', 75],
  ] as const)('by %s is %i, and 75 where the same command goes on', (signal, code) => {
    expect(exitCodeOfStop(signal, { hasBegun: true, goesOn: false })).toBe(code);
    expect(exitCodeOfStop(signal, { hasBegun: true, goesOn: true })).toBe(75);
    expect(exitCodeOfStop(signal, { hasBegun: false, goesOn: true })).toBe(75);
  });

  it('before it has begun is what a shell expects of Ctrl-C and SIGTERM', () => {
    expect(exitCodeOfStop('SIGINT', { hasBegun: false, goesOn: false })).toBe(130);
    expect(exitCodeOfStop('SIGTERM', { hasBegun: false, goesOn: false })).toBe(143);
    expect(exitCodeOfStop('SIGUSR1', { hasBegun: false, goesOn: false })).toBe(75);
  });
});
