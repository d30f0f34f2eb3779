// The least that an engine of programs must bring: it compiles a program of shared/model, and says what it is.
import type { findOutside } from '../../shared/exact-sum.ts';
import type { Program } from '../../shared/model/program.ts';
import type { fillNormal } from '../../shared/random.ts';
import type { Engine } from './engine.ts';
import type { Executor } from './executor.ts';

/** Compiles and runs programs in this thread. */
export interface ProgramRunner
  extends Pick<Engine, 'name' | 'libraryVersion' | 'arithmetic' | 'device' | 'tensorCount'> {
  /** Compiles a program. @throws where it has a node that this runner does not compute */
  load(program: Program): Executor;
  /** As {@link findOutside}, where the runner has a faster one. */
  readonly findOutside?: typeof findOutside;
  /** As {@link fillNormal}, where the runner has a faster one: with the same bits. */
  readonly fillNormal?: typeof fillNormal;
}
