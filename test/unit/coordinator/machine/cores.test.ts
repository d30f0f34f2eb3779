import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countPhysicalCores } from '../../../../coordinator/machine/cores.ts';

/** Neither affinity nor a quota. */
const FREE = { allowed: '', quota: Number.POSITIVE_INFINITY };

describe('countPhysicalCores', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ganglion-cores-'));
    for (const [index, siblings] of ['0,2', '1,3', '0,2', '1,3'].entries()) {
      mkdirSync(join(folder, `cpu${index}`, 'topology'), { recursive: true });
      writeFileSync(join(folder, `cpu${index}`, 'topology', 'thread_siblings_list'), `${siblings}\n`);
    }
    mkdirSync(join(folder, 'cpu4')); // offline: it has no topology
    mkdirSync(join(folder, 'cpufreq'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('counts groups of hyper-thread siblings', () => {
    expect(countPhysicalCores({ ...FREE, cpuFolder: folder, logicalCores: 4 })).toBe(2);
  });

  it('never exceeds the logical cores left to the process', () => {
    expect(countPhysicalCores({ ...FREE, cpuFolder: folder, logicalCores: 1 })).toBe(1);
  });

  it('falls back to logical cores where the kernel tells nothing', () => {
    expect(countPhysicalCores({ ...FREE, cpuFolder: join(folder, 'absent'), logicalCores: 6 })).toBe(6);
  });

  it.each([
    ['0,2', 1], // one core's two threads
    ['0-1', 2],
    ['1-3', 2],
    ['3', 1],
  ])('counts those of the processors %s only: %d', (allowed, cores) => {
    expect(countPhysicalCores({ ...FREE, cpuFolder: folder, logicalCores: 4, allowed })).toBe(cores);
  });

  it.each([
    [0.5, 1],
    [1.9, 1],
    [2, 2],
    [7, 2],
  ])('counts whole processors of a quota of %d: %d', (quota, cores) => {
    expect(countPhysicalCores({ ...FREE, cpuFolder: folder, logicalCores: 4, quota })).toBe(cores);
  });

  it('is between one and the logical cores on this machine', () => {
    expect(countPhysicalCores()).toBeGreaterThanOrEqual(1);
    expect(countPhysicalCores()).toBeLessThanOrEqual(availableParallelism());
  });
});
