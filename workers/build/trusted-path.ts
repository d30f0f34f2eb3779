// Who could change what is loaded from the cache: programs run with all rights of the user. A path is trusted when it belongs to this user
// or to root and nobody else may write it, up to the root of the file system; above the cache, a sticky folder such as /tmp will do.
import { existsSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { GanglionError } from '../../shared/error.ts';

const OTHERS_WRITE = 0o022;
const GROUP_WRITES = 0o020;
const STICKY = 0o1000;
const ADVICE = 'set GANGLION_CACHE to a folder of your own';

/** The user of this process; undefined where the system knows none (Windows). */
const currentUser = (): number | undefined => process.geteuid?.();

/**
 * @param paths files and folders in the cache folder, or that itself; where there is none yet, a folder above it
 * @throws GanglionError `environment` when somebody else could change one, or Node's system error when it is not there
 */
export function checkTrusted(paths: Iterable<string>, cacheFolder: string, user = currentUser()): void {
  if (user === undefined) return;
  const cache = existsSync(cacheFolder) ? realpathSync(cacheFolder) : undefined;
  const trusted = new Set<string>();
  for (const path of paths) {
    let isInside = cache !== undefined;
    for (let at = realpathSync(path); !trusted.has(at); at = dirname(at)) {
      checkOne(at, isInside, user);
      trusted.add(at);
      if (at === cache) isInside = false;
    }
  }
}

function checkOne(path: string, isInside: boolean, user: number): void {
  const stats = statSync(path);
  const fail = (reason: string, advice: string): never => {
    throw new GanglionError('environment', `${path} ${reason}, and programs are loaded from there: ${advice}`);
  };
  const isOwn = stats.uid === user || stats.uid === 0;
  if (!isOwn && (isInside || !isUnmapped(stats.uid))) {
    fail(`belongs to user ${stats.uid}, expected user ${user} or root`, ADVICE);
  }
  if ((stats.mode & OTHERS_WRITE) === 0) return;
  if (!isInside && ((stats.mode & STICKY) !== 0 || isOfPrivateGroup(stats, user))) return;
  fail(`may be written by others (mode ${(stats.mode & 0o7777).toString(8)})`, `run chmod go-w, or ${ADVICE}`);
}

/** Where every user has a group of the same number, new folders may be written by the group (pam_umask(8), usergroups). */
function isOfPrivateGroup({ mode, uid, gid }: Stats, user: number): boolean {
  return (mode & OTHERS_WRITE) === GROUP_WRITES && user !== 0 && uid === user && gid === user;
}

/** In a user namespace (rootless containers, Apptainer) the folders of the machine's root belong to "nobody". */
function isUnmapped(uid: number): boolean {
  try {
    const [first, , count] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
    const isWhole = first === '0' && count === '4294967295';
    return !isWhole && uid === Number(readFileSync('/proc/sys/kernel/overflowuid', 'utf8'));
  } catch {
    return false;
  }
}
