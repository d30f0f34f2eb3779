// A rank whose mpirun, or its daemon on this machine, was killed has nobody left who would end it: it asks for a stop itself.
import { rankOf } from '../machine/rank.ts';
import type { StopSwitch } from '../run/stop.ts';

const LOOK_MS = 1_000;

/** Asks for a stop once the process that has started this rank is gone. Does nothing for a process that is alone. */
export function stopWithParent(stop: Pick<StopSwitch, 'request'>, env: NodeJS.ProcessEnv = process.env): void {
  if (rankOf(env) === undefined) return;
  const parent = process.ppid;
  const looking = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(looking);
    stop.request('the end of mpirun');
  }, LOOK_MS).unref();
}
