// Counts processor cores for --workers auto and the doctor: two hyper-threads share one core's arithmetic units, so replicas beyond the number
// of physical cores gain little.

import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const CPU_FOLDER = '/sys/devices/system/cpu';

/**
 * Physical cores this process may use: groups of hyper-thread siblings, but never more than the logical cores that CPU
 * affinity leaves to the process. Where the kernel tells no siblings (some containers), the logical cores.
 */
export function countPhysicalCores(cpuFolder = CPU_FOLDER, logicalCores = availableParallelism()): number {
  const siblings = new Set<string>();
  for (const name of listCpus(cpuFolder)) {
    const list = readSiblings(join(cpuFolder, name, 'topology', 'thread_siblings_list'));
    if (list !== undefined) siblings.add(list);
  }
  return siblings.size === 0 ? logicalCores : Math.min(siblings.size, logicalCores);
}

function listCpus(cpuFolder: string): string[] {
  try {
    return readdirSync(cpuFolder).filter((name) => /^cpu\d+$/.test(name));
  } catch {
    return [];
  }
}

/** Undefined for a processor that is offline. */
function readSiblings(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
