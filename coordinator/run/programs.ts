// Files outside of the coordinator that a run needs: the compiled entry files of the workers' side, which the coordinator never imports,
// and the live page.

export interface Programs {
  /** Entry file of a replica in a thread. */
  readonly threadEntry: URL;
  /** Entry file of a replica in a process. */
  readonly processEntry: URL;
  /** Entry file of the update's compiled kernels: the coordinator imports it when a run begins. */
  readonly updateEntry: URL;
  /** Program that finds out which backend runs here. */
  readonly backendEntry: URL;
  /** Entry file of the thread that judges generated images, a worker of Piscina. */
  readonly judgeEntry: URL;
  /** Folder of the live page's files, with a slash at the end. */
  readonly page: URL;
  /** Folder of the modules that are compiled for pages, and of the kernels in WebAssembly. */
  readonly compiled: URL;
  readonly kernels: URL;
}

const entry = (name: string): URL => new URL(`../../workers/entry/${name}.js`, import.meta.url);

/** Those of the compiled package. */
export const PROGRAMS: Programs = {
  threadEntry: entry('thread-entry'),
  processEntry: entry('process-entry'),
  updateEntry: entry('update-entry'),
  backendEntry: entry('backend-entry'),
  judgeEntry: entry('judge-entry'),
  page: new URL('../../../dashboards/live/', import.meta.url),
  compiled: new URL('../../explorer/', import.meta.url),
  kernels: new URL('../../../workers/engines/wasm/', import.meta.url),
};
