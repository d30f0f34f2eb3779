// The machine of a run: kept with every start and resume in events.jsonl, since other backends give the same bits on one kind of machine only.
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { countPhysicalCores } from '../machine/cores.ts';
import { VERSION } from '../machine/version.ts';
import type { Summary } from './summary.ts';

/** Names and values for people to read; docs/run-folder.md has the table. */
export type Environment = Readonly<Record<string, string | number>>;

const OS_RELEASE = '/etc/os-release';

/** @param computing the replicas' engine, its version, and its device where there is one */
export function describeEnvironment(computing: Pick<Summary, 'engine' | 'libraryVersion' | 'device'>): Environment {
  const processors = cpus();
  return {
    ganglion: VERSION,
    node: process.version,
    ...computing,
    os: `${distribution()}, ${type()} ${release()}`,
    architecture: process.arch,
    cpu: processors[0]?.model.trim() ?? 'unknown',
    logicalCores: processors.length,
    physicalCores: countPhysicalCores(),
    memoryBytes: totalmem(),
  };
}

/** Name and version of the Linux distribution. */
function distribution(): string {
  try {
    const name = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(readFileSync(OS_RELEASE, 'utf8'))?.[1];
    return name ?? 'unknown distribution';
  } catch {
    return 'unknown distribution';
  }
}
