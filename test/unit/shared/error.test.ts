import { describe, expect, it } from 'vitest';
import { type ErrorCode, GanglionError, messageOf, systemErrorCode } from '../../../shared/error.ts';

describe('GanglionError', () => {
  it.each([
    ['usage', 2],
    ['config', 2],
    ['data', 2],
    ['checkpoint', 2],
    ['environment', 1],
    ['replica', 1],
    ['shape', 1],
    ['range', 1],
  ] as const satisfies readonly [ErrorCode, number][])('%s ends the command line with %i', (code, exitCode) => {
    expect(new GanglionError(code, 'm').exitCode).toBe(exitCode);
  });

  it('crosses a thread whole', () => {
    const place = { replica: 1, step: 20, phase: 'generator', shard: 3 };
    const reason = 'range';
    const error = new GanglionError('range', 'a value is NaN', { place, reason });
    const crossed = GanglionError.fromPlain(structuredClone(error.toPlain()));
    expect(crossed).toBeInstanceOf(GanglionError);
    expect(crossed).toMatchObject({ name: 'GanglionError', code: 'range', message: 'a value is NaN', place, reason });
    expect(crossed.stack).toBe(error.stack);
  });

  it('has an empty place and no cause unless given', () => {
    const error = new GanglionError('data', 'm');
    expect(error.place).toEqual({});
    expect('cause' in error).toBe(false);
    const cause = new Error('why');
    expect(new GanglionError('data', 'm', { cause }).cause).toBe(cause);
  });
});

describe('systemErrorCode', () => {
  it('is the code of a system error, and nothing for anything else', () => {
    expect(systemErrorCode(Object.assign(new Error('full'), { code: 'ENOSPC' }))).toBe('ENOSPC');
    expect(systemErrorCode(Object.assign(new Error('m'), { code: 5 }))).toBeUndefined();
    expect(systemErrorCode(new Error('m'))).toBeUndefined();
    expect(systemErrorCode({ code: 'ENOSPC' })).toBeUndefined();
    expect(systemErrorCode(undefined)).toBeUndefined();
  });
});

describe('messageOf', () => {
  it('is one line of anything thrown', () => {
    expect(messageOf(new Error(' first\n   second \r\n\tthird\n'))).toBe('first second third');
    expect(messageOf('text')).toBe('text');
    expect(messageOf(undefined)).toBe('undefined');
  });
});
