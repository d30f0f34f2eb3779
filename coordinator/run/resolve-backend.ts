// Which backend a setting means on this machine. Where that is not plain, a program of the workers' side finds out,
// in a process of its own.
import { BACKENDS, type Backend } from '../../shared/backend.ts';
import type { Settings } from '../settings/settings-table.ts';
import type { Programs } from './programs.ts';

/** Runs an entry file to its end. @returns its standard output @throws when it fails */
export type RunProgram = (entry: URL, args: readonly string[]) => Promise<string>;

/** Whether the kernels are there and load: nearly always, and no other process is needed to know. */
async function hasKernels({ updateEntry }: Pick<Programs, 'updateEntry'>): Promise<boolean> {
  const { loadUpdate }: { loadUpdate(): object | undefined } = await import(updateEntry.href);
  try {
    return loadUpdate() !== undefined;
  } catch {
    return false; // the program says why
  }
}

/**
 * `auto` is `cpu` where the kernels are there or can be compiled now, else wasm, and the program says why on standard error; a name is
 * that backend, never another.
 *
 * @throws what `run` throws when the backend cannot run
 */
export async function resolveBackend(
  setting: Settings['backend'],
  programs: Pick<Programs, 'updateEntry' | 'backendEntry'>,
  run: RunProgram,
): Promise<Backend> {
  if (setting === 'wasm' || setting === 'js') return setting; // they run wherever Node.js does
  if ((setting === 'auto' || setting === 'cpu') && (await hasKernels(programs))) return 'cpu';
  const output = await run(programs.backendEntry, [setting]);
  const chosen = BACKENDS.find((backend) => backend === output.trim());
  if (chosen === undefined) throw new Error(`expected the name of a backend, got ${JSON.stringify(output)}`);
  return chosen;
}
