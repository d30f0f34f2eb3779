// Counts processor cores for --workers auto and the doctor: two hyper-threads share one core's arithmetic units, so replicas beyond the number
// of physical cores gain little.

import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { readCpuQuota } from './cpu-quota.ts';

export interface Machine {
  /** Where Linux describes the processors. */
  readonly cpuFolder?: string;
  /** Processors that this process may run on, such as `0-3,8`; empty where the system does not tell. */
  readonly allowed?: string;
  readonly logicalCores?: number;
  /** Processors that control groups leave to the process. */
  readonly quota?: number;
}

/**
 * Physical cores this process may use: groups of hyper-thread siblings, of the processors that CPU affinity leaves to the process, and
 * no more than whole processors of its quota (a container's, a batch system's). Where the kernel tells no siblings (some containers),
 * the logical cores.
 */
export function countPhysicalCores(machine: Machine = {}): number {
  const { cpuFolder = '/sys/devices/system/cpu', allowed = readAllowed(), quota = readCpuQuota() } = machine;
  const { logicalCores = availableParallelism() } = machine;
  const siblings = new Set<string>();
  for (const name of listCpus(cpuFolder)) {
    const list = isIn(Number(name.slice(3)), allowed)
      ? readText(join(cpuFolder, name, 'topology', 'thread_siblings_list'))
      : undefined;
    if (list !== undefined) siblings.add(list);
  }
  const cores = siblings.size === 0 ? logicalCores : Math.min(siblings.size, logicalCores);
  return Math.max(1, Math.min(cores, Math.floor(quota)));
}

function listCpus(cpuFolder: string): string[] {
  try {
    return readdirSync(cpuFolder).filter((name) => /^cpu\d+$/.test(name));
  } catch {
    return [];
  }
}

function readAllowed(): string {
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(readText('/proc/self/status') ?? '')?.[1] ?? '';
}

function isIn(processor: number, list: string): boolean {
  if (list === '') return true;
  return list.split(',').some((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    return processor >= first && processor <= last;
  });
}

/** Undefined where there is none, as for a processor that is offline. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
