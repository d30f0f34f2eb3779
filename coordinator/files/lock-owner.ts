// Who holds a run's folder, as lock.json has it, and what can be said about that process from here.
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { systemErrorCode } from '../../shared/error.ts';
import { jobMemberOf } from '../machine/rank.ts';

/** Every text of it is printable and short, so that a message may show it, whoever has written the file. */
const Owner = z.object({
  /** Grows by one whenever the folder is taken from another process. */
  token: z.int().min(1),
  pid: z.int().min(1),
  /** When the process started, in ticks since the boot: another process of this number has another. Null where it is not known. */
  started: z.int().min(0).nullable(),
  host: z.string().regex(/^[\w.-]{1,255}$/),
  /** Names the boot of the machine. Null where it is not known. */
  boot: z
    .string()
    .regex(/^[\w-]{1,64}$/)
    .nullable(),
  /** Names what the number of the process counts in: a container has one of its own. Null where it is not known. */
  pidNamespace: z
    .string()
    .regex(/^[\w:[\]]{1,64}$/)
    .nullable(),
  /** The job of MPI that the process belongs to, and which of it it is. Null for a process that is alone. */
  job: z
    .string()
    .regex(/^[\w.@-]{1,128}$/)
    .nullable()
    .default(null),
  member: z
    .string()
    .regex(/^\d\/\d{1,9}$/)
    .nullable()
    .default(null),
  /** UTC. */
  since: z.iso.datetime(),
});

export type LockOwner = z.infer<typeof Owner>;

/** @returns undefined for what no process of Ganglion has written */
export function parseOwner(text: string): LockOwner | undefined {
  try {
    return Owner.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** This process. */
export function ownerHere(token: number): LockOwner {
  return {
    token,
    pid: process.pid,
    started: statOf('self')?.started ?? null,
    host:
      hostname()
        .replace(/[^\w.-]/g, '_')
        .slice(0, 255) || 'unknown',
    boot: readOrNull(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidNamespace: readOrNull(() => readlinkSync('/proc/self/ns/pid')),
    ...(jobMemberOf() ?? { job: null, member: null }),
    since: new Date().toISOString(),
  };
}

/**
 * Whether the owner is another process of this one's job, which has agreed that this one writes from now on: the owner is lost to it, or the job
 * was started again. An owner that lives all the same finds another's name before its next write.
 */
export function isOfOwnJob(owner: LockOwner): boolean {
  const here = jobMemberOf();
  return here !== undefined && owner.job === here.job && owner.member !== here.member;
}

/**
 * What became of the owner: only of a process of this boot and of this container, whose number means the same here, can that be known.
 * A number that is free proves nothing in another container or on another machine.
 */
export function fateOf(owner: LockOwner): 'alive' | 'dead' | 'unknown' {
  const here = ownerHere(1);
  const isNear = [owner.boot, owner.pidNamespace].every((name) => name !== null);
  if (!isNear || owner.boot !== here.boot || owner.pidNamespace !== here.pidNamespace) return 'unknown';
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if (systemErrorCode(error) === 'ESRCH') return 'dead';
  }
  // A /proc of another container has other processes under these numbers.
  if (readOrNull(() => readlinkSync('/proc/self')) !== String(process.pid)) return 'alive';
  const stat = statOf(owner.pid);
  if (!stat) return 'alive'; // not shown to this user
  const isOther = owner.started !== null && stat.started !== owner.started;
  return isOther || stat.hasEnded ? 'dead' : 'alive';
}

/** `process 12`, and where another machine or container counts it, on which. */
export function describeOwner(owner: LockOwner | undefined): string {
  if (!owner) return 'another process';
  const { pid, host, boot, pidNamespace, since } = owner;
  const here = ownerHere(1);
  if (host !== here.host || boot !== here.boot) return `process ${pid} on ${host} since ${since}`;
  return pidNamespace === here.pidNamespace ? `process ${pid}` : `process ${pid} of another container since ${since}`;
}

/** proc(5): the state is the first field behind the name, the time of the start the twentieth. */
function statOf(pid: number | 'self'): { readonly started: number; readonly hasEnded: boolean } | undefined {
  const text = readOrNull(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (text === null) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { started: Number(fields[19]), hasEnded: fields[0] === 'Z' || fields[0] === 'X' };
}

function readOrNull(read: () => string): string | null {
  try {
    return read();
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return null; // not this system, or not shown to this user
  }
}
