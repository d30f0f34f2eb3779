// What a node of a training is made of.
import type { Devices } from '../../shared/device.ts';
import type { Dataset } from '../data/dataset.ts';
import type { FaultPlan } from '../replicas/fault-plan.ts';
import type { RunEvent } from '../run-folder/run-event.ts';
import type { Settings } from '../settings/settings-table.ts';
import type { Communicator } from '../training/communicator.ts';
import type { TrainingState } from '../training/state.ts';
import type { TrainerOptions } from '../training/trainer.ts';
import type { Programs } from './programs.ts';

/** The settings of a node. */
export type NodeSettings = Pick<
  Settings,
  | 'isolation'
  | 'batch'
  | 'shards'
  | 'seed'
  | 'lr'
  | 'lrG'
  | 'lrD'
  | 'lrDecay'
  | 'labelSmoothing'
  | 'beta1'
  | 'beta2'
  | 'epsilon'
  | 'ema'
  | 'maxRestarts'
  | 'maxShardLosses'
  | 'maxSkipped'
  | 'audit'
  | 'pageReplicas'
  | 'pageAudit'
>;

export interface NodeOptions {
  readonly config: NodeSettings;
  /** What the replicas compute on. */
  readonly devices: Devices;
  readonly workers: number;
  readonly dataset: Dataset;
  /** Changed in place by training. */
  readonly state: TrainingState;
  /** Steps done when training ends. */
  readonly totalSteps: number;
  readonly programs: Pick<Programs, 'threadEntry' | 'processEntry' | 'updateEntry'>;
  /** Default: this node is alone. */
  readonly communicator?: Communicator;
  /** Faults that a test of a cluster has planned. */
  readonly faults?: FaultPlan | null;
  /** Whether to give the events of a profile, of which there are many a step. */
  readonly profiled?: boolean;
  readonly emit: (event: RunEvent) => void;
  /** What this node has to tell the first one about itself. */
  readonly tell?: TrainerOptions['tell'];
}
