// The share of the processors that control groups leave to this process: a container's limit, a batch system's, a login node's.
// https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max), https://docs.kernel.org/scheduler/sched-bwc.html (version 1)
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

interface Mount {
  /** The group that is seen at the mount point. */
  readonly root: string;
  readonly point: string;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** A path of mountinfo, which writes blanks as `\040`. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Where the hierarchy of the processors is mounted. @param version of control groups */
function mountOf(version: 1 | 2, mountinfo: string): Mount | undefined {
  for (const line of mountinfo.split('\n')) {
    const [place = '', kind = ''] = line.split(' - ');
    const [, , , root = '', point = ''] = place.split(' ');
    const [type, , options = ''] = kind.split(' ');
    const matches = version === 2 ? type === 'cgroup2' : type === 'cgroup' && options.split(',').includes('cpu');
    if (matches) return { root: unescaped(root), point: unescaped(point) };
  }
  return undefined;
}

/** Processors that one group has; Infinity where it has no limit. */
function limitOf(version: 1 | 2, folder: string): number {
  const [quota = '', period = ''] =
    version === 2
      ? readText(join(folder, 'cpu.max')).trim().split(' ')
      : ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((name) => readText(join(folder, name)).trim());
  return Number(quota) > 0 && Number(period) > 0 ? Number(quota) / Number(period) : Number.POSITIVE_INFINITY;
}

/** Processors that this process may use in the mean, the least of its group and those above it; Infinity where there is no limit. */
export function readCpuQuota(proc = '/proc/self'): number {
  const mountinfo = readText(join(proc, 'mountinfo'));
  let least = Number.POSITIVE_INFINITY;
  for (const line of readText(join(proc, 'cgroup')).split('\n')) {
    const [, controllers, group] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || group === undefined) continue;
    if (controllers !== '' && !controllers.split(',').includes('cpu')) continue;
    const version = controllers === '' ? 2 : 1;
    const mount = mountOf(version, mountinfo);
    if (!mount) continue;
    const root = mount.root.replace(/\/$/, '');
    // A container may see its own group as the root of all.
    const isSeen = `${group}/`.startsWith(`${root}/`) && !group.split('/').includes('..');
    let folder = join(mount.point, isSeen ? group.slice(root.length) : '');
    while (folder.startsWith(mount.point)) {
      least = Math.min(least, limitOf(version, folder));
      if (folder === dirname(folder)) break;
      folder = dirname(folder);
    }
  }
  return least;
}
