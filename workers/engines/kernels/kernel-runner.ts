// Programs by Ganglion's own kernels in the add-on: the engine `cpu`. It loads no other library.
import type { ProgramRunner } from '../program-runner.ts';
import { requireKernels } from './binding.ts';
import { runnerOf } from './runner-of.ts';

/**
 * Loads the kernels into this thread.
 *
 * @throws GanglionError `environment` when they are not built, switched off, or not for this processor
 */
export function kernelRunner(): ProgramRunner {
  const { binding, version } = requireKernels();
  return { ...runnerOf(binding), libraryVersion: version };
}
