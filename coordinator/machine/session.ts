// The processes of a session: what a program has started here, whatever has become of itself. Linux only: elsewhere it names none.
import { readdirSync, readFileSync } from 'node:fs';
import { systemErrorCode } from '../../shared/error.ts';

/** @param leader process that has begun the session; it may have ended */
export function processesOfSession(leader: number): number[] {
  const names = readOrNull(() => readdirSync('/proc')) ?? [];
  return names
    .filter((name) => /^\d+$/.test(name) && sessionOf(name) === leader)
    .map(Number)
    .filter((pid) => pid !== leader);
}

/** proc(5): behind the name in brackets come state, parent, group and session. */
function sessionOf(pid: string): number | undefined {
  const text = readOrNull(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return text === null ? undefined : Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[3]);
}

function readOrNull<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return null; // it has ended meanwhile, or this is another system
  }
}
