// Programs by Ganglion's own kernels: the engine `cpu`. It has kernels for every program of shared/model, and loads no other library.
import { ARITHMETIC } from '../../../shared/arithmetic.ts';
import { GanglionError } from '../../../shared/error.ts';
import type { ProgramRunner } from '../program-runner.ts';
import { requireKernels } from './binding.ts';
import { kernelExecutor } from './executor.ts';
import { kernelNoise } from './noise.ts';
import type { PlanBinding } from './plan-binding.ts';

/**
 * Loads the kernels into this thread.
 *
 * @throws GanglionError `environment` when they are not built, switched off, or not for this processor
 */
export function kernelRunner(): ProgramRunner {
  const { binding, version } = requireKernels();
  return { ...runnerOf(binding), libraryVersion: version };
}

/** A runner of a binding. */
export function runnerOf(binding: PlanBinding): Omit<ProgramRunner, 'libraryVersion'> {
  return {
    name: `kernels-${binding.isa}`,
    arithmetic: ARITHMETIC,
    load: (program) => {
      const executor = kernelExecutor(binding, program);
      if (!executor) throw new GanglionError('shape', `there are no kernels for the program ${program.name}`);
      return executor;
    },
    tensorCount: () => 0,
    findOutside: (values, limit) => binding.findOutside(values, limit),
    fillNormal: kernelNoise(binding),
  };
}
