// Finds what a run has left running. Replicas' processes do not name the run on their command lines, so its environment marks them all.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';

const NAME = 'GANGLION_TEST_RUN';

/** Environment for the processes of a run: what they start inherits it. */
export function markOf(run: string): NodeJS.ProcessEnv {
  return { [NAME]: run };
}

/** Processes with the run's mark, frozen ones too. */
export function processesOf(run: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${NAME}=${run}`);
      } catch {
        return false; // ended meanwhile
      }
    })
    .map(Number);
}

/** The replicas' processes of a run. */
export function replicasOf(run: string, coordinator: number): number[] {
  return processesOf(run).filter((pid) => {
    try {
      return pid !== coordinator && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('process-entry');
    } catch {
      return false;
    }
  });
}

/** Fails when a process of the run is still there after half a minute. */
export async function expectNoneLeft(run: string): Promise<void> {
  const endMs = performance.now() + 30_000;
  while (processesOf(run).length > 0 && performance.now() < endMs) await delay(50);
  expect(processesOf(run)).toEqual([]);
}
