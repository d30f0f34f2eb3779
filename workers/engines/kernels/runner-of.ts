// Programs by the kernels of a binding, of the add-on or in WebAssembly: there are kernels for every program of shared/model.
import { ARITHMETIC } from '../../../shared/arithmetic.ts';
import { GanglionError } from '../../../shared/error.ts';
import type { ProgramRunner } from '../program-runner.ts';
import { kernelExecutor } from './executor.ts';
import { kernelNoise } from './noise.ts';
import type { PlanBinding } from './plan-binding.ts';

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
