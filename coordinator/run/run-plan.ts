// What a recorded run needs, read and checked before anything changes; and what the program that runs it provides.
import { type Backend, ONE_ARITHMETIC } from '../../shared/backend.ts';
import type { Devices } from '../../shared/device.ts';
import type { Dataset } from '../data/dataset.ts';
import type { LockTicket } from '../files/run-lock.ts';
import type { Terminal } from '../monitoring/terminal.ts';
import type { FaultPlan } from '../replicas/fault-plan.ts';
import type { StoredRunConfig } from '../run-folder/run-config.ts';
import type { Communicator } from '../training/communicator.ts';
import type { TrainingState } from '../training/state.ts';
import type { StepRecord } from '../training/trainer.ts';
import type { Programs } from './programs.ts';
import type { StopSwitch } from './stop.ts';

/** Everything that a run is made of. */
export interface RunPlan {
  readonly config: StoredRunConfig;
  /** The backend of the newest step; null before the first. */
  readonly backendBefore: Backend | null;
  /** Number of the arithmetic of the steps before this process; null when there are none. */
  readonly arithmeticBefore: number | null;
  /** Folder of the run. */
  readonly path: string;
  readonly workers: number;
  /** What the replicas compute on. */
  readonly devices: Devices;
  readonly dataset: Dataset;
  readonly state: TrainingState;
  /** Steps done when the run ends. */
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  /** Whether the folder holds a run already. */
  readonly resumed: boolean;
  /** Token that a request to change the run must carry; never written anywhere. */
  readonly apiToken: string | null;
  /** Faults that a test of a cluster has planned. */
  readonly faults: FaultPlan | null;
  /** File of a trace of that many steps, for optimising. */
  readonly profile: { readonly path: string; readonly steps: number } | null;
}

/** What the caller provides. */
export interface RunHost {
  readonly programs: Programs;
  /** Requests a stop. */
  readonly stop: StopSwitch;
  /** The nodes that train together; this one is the first. Default: it is alone. */
  readonly nodes?: Communicator;
  /** Numbers of all nodes of the job, where some are lost by now. */
  readonly allNodes?: readonly number[] | undefined;
  /** Locks the run's folder, if that is not done yet; the folder is there by then. @throws GanglionError when another process has it */
  readonly lock: () => Promise<LockTicket>;
  /** Prints the run for people; without one, nothing is printed. */
  readonly terminal?: Terminal;
  /** Receives the lines that a terminal would show as notices, where there is none. */
  readonly onNotice?: (text: string) => void;
  /** Called after every commit; the state changes only after it. */
  readonly onStep?: ((record: StepRecord) => Promise<void>) | undefined;
  /** Newest steps before this process wrote, where it goes on for a node that is lost, which may not have logged them. */
  readonly missed?: readonly StepRecord[] | undefined;
}

/** What a change of the backend, or of its arithmetic, means; undefined when there is none. */
export function describeChange(plan: RunPlan): string | undefined {
  const { backendBefore, arithmeticBefore, config, state } = plan;
  if (backendBefore === null || arithmeticBefore === null) return undefined;
  const { chosenBackend, arithmetic } = config;
  const before = `step ${state.step} was computed`;
  const after = 'the bits will differ from those of a run on one of them';
  const isOwn = (backend: Backend): boolean => ONE_ARITHMETIC.includes(backend);
  if (backendBefore !== chosenBackend && !(isOwn(backendBefore) && isOwn(chosenBackend)))
    return `${before} on ${backendBefore}, from here it is ${chosenBackend}: ${after}`;
  // Engines of other libraries have arithmetic of their own.
  if (arithmeticBefore === arithmetic || !isOwn(chosenBackend)) return undefined;
  return `${before} by arithmetic ${arithmeticBefore}, from here it is ${arithmetic}: ${after}`;
}
