import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { readCpuQuota } from '../../../../coordinator/machine/cpu-quota.ts';
import { scratchFolder } from '../../scratch.ts';

/** A /proc/self and the file system of control groups below a folder. @returns the folder of proc */
function machine(cgroup: string, mounts: string[], files: Record<string, string>): string {
  const folder = scratchFolder();
  for (const [name, text] of Object.entries({ ...files, 'proc/cgroup': cgroup })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), `${text}\n`);
  }
  const escaped = folder.replaceAll(' ', '\\040');
  writeFileSync(join(folder, 'proc/mountinfo'), mounts.map((line) => line.replace('HERE', escaped)).join('\n'));
  return join(folder, 'proc');
}

const V2 = (root = '/') => `30 23 0:26 ${root} HERE/sys rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate`;
const V1 = (root = '/') => `33 31 0:30 ${root} HERE/sys/cpu rw - cgroup cgroup rw,cpu,cpuacct`;
const V1_CPUSET = '34 31 0:31 / HERE/sys/cpuset rw - cgroup cgroup rw,cpuset';

it.each([
  ['version 2', '0::/a/b', [V2()], { 'sys/a/b/cpu.max': '150000 100000' }, 1.5],
  [
    'version 2, a limit of a group above',
    '0::/a/b',
    [V2()],
    { 'sys/a/b/cpu.max': 'max 100000', 'sys/a/cpu.max': '200000 100000' },
    2,
  ],
  [
    'version 2, the least of both',
    '0::/a/b',
    [V2()],
    { 'sys/a/b/cpu.max': '300000 100000', 'sys/a/cpu.max': '200000 100000' },
    2,
  ],
  ['version 2 in a container', '0::/', [V2()], { 'sys/cpu.max': '50000 100000' }, 0.5],
  [
    'version 2 in a container that names the group outside',
    '0::/../../x',
    [V2('/')],
    { 'sys/cpu.max': '50000 100000' },
    0.5,
  ],
  ['version 2, none', '0::/a', [V2()], { 'sys/a/cpu.max': 'max 100000' }, Number.POSITIVE_INFINITY],
  [
    'version 1',
    '3:cpu,cpuacct:/a',
    [V1()],
    { 'sys/cpu/a/cpu.cfs_quota_us': '400000', 'sys/cpu/a/cpu.cfs_period_us': '100000' },
    4,
  ],
  [
    'version 1, none',
    '3:cpu:/a',
    [V1()],
    { 'sys/cpu/a/cpu.cfs_quota_us': '-1', 'sys/cpu/a/cpu.cfs_period_us': '100000' },
    Number.POSITIVE_INFINITY,
  ],
  [
    'version 1 in a container',
    '3:cpu:/docker/1',
    [V1('/docker/1')],
    { 'sys/cpu/cpu.cfs_quota_us': '100000', 'sys/cpu/cpu.cfs_period_us': '100000' },
    1,
  ],
  [
    'both, as here',
    '2:cpuset:/x\n3:cpu:/a\n0::/',
    [V1_CPUSET, V1(), V2()],
    { 'sys/cpu/a/cpu.cfs_quota_us': '100000', 'sys/cpu/a/cpu.cfs_period_us': '50000' },
    2,
  ],
  ['no control groups', '', [], {}, Number.POSITIVE_INFINITY],
  ['nonsense', 'x\n1\n0::/a', ['x', V2()], { 'sys/a/cpu.max': '' }, Number.POSITIVE_INFINITY],
] as const)('%s', (_, cgroup, mounts, files, quota) => {
  expect(readCpuQuota(machine(cgroup, [...mounts], files))).toBe(quota);
});

it('is without end where the system does not tell', () => {
  expect(readCpuQuota(join(scratchFolder(), 'none'))).toBe(Number.POSITIVE_INFINITY);
});
