// Threads of replicas that have not ended. Node.js waits for them at the end of the process, for ever where one is stuck in a call of a GPU's
// driver: then the command line ends the process without them.
import type { Worker } from 'node:worker_threads';

const living = new Set<Worker>();
let exitNow: ((code: number) => void) | undefined;

/** Follows a thread until it ends. */
export function followThread(thread: Worker): void {
  living.add(thread);
  thread.once('exit', () => living.delete(thread));
}

/**
 * To be called before threads compute on a GPU: later nothing can be loaded.
 *
 * @param entry compiled entry file of the kernels' side
 */
export async function prepareExit(entry: URL): Promise<void> {
  const { loadExit }: { loadExit(): Promise<typeof exitNow> } = await import(entry.href);
  exitNow = await loadExit();
}

/** Ends the process, with all its output written, where a thread that may compute on a GPU has not ended. */
export function exitWithoutThreads(code: number): void {
  if (living.size > 0) exitNow?.(code);
}
