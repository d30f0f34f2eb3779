// How coordinator/files/atomic-file.ts words what the system reports.
import { describe, expect, it } from 'vitest';
import { fromSystemError } from '../../../../coordinator/files/atomic-file.ts';
import { GanglionError } from '../../../../shared/error.ts';

function systemError(errno: number, code: string): Error {
  return Object.assign(new Error(`${code}: as thrown by Node, fsync`), { errno, code, syscall: 'fsync' });
}

describe('fromSystemError', () => {
  it('takes a code and keeps the cause', () => {
    const cause = systemError(-13, 'EACCES');
    const error = fromSystemError('cannot read /x', cause, 'data');
    expect(error).toBeInstanceOf(GanglionError);
    expect(error).toMatchObject({ code: 'data', message: 'cannot read /x: permission denied', cause });
  });

  it('falls back to the message of an unknown system error', () => {
    expect(fromSystemError('cannot read /x', systemError(-9999, 'ESTRANGE'))).toMatchObject({
      code: 'environment',
      message: 'cannot read /x: ESTRANGE: as thrown by Node, fsync',
    });
  });

  it('gives back what is no system error: a bug keeps its stack, a GanglionError its code', () => {
    const bug = new TypeError('bug');
    const known = new GanglionError('data', 'known');
    expect(fromSystemError('cannot write /x', bug)).toBe(bug);
    expect(fromSystemError('cannot write /x', known)).toBe(known);
    expect(fromSystemError('cannot write /x', 'text')).toBe('text');
  });
});
