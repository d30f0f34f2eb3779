// A training driven by the loop that iterates over its steps: the library's `train`, and the command line's.
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Devices } from '../../shared/device.ts';
import { GanglionError } from '../../shared/error.ts';
import { imageShapeOf } from '../../shared/model/spec.ts';
import { stateSha256, writeCheckpoint } from '../checkpoints/checkpoint.ts';
import { isLocked, type LockTicket, lockRunFolder, type RunLock } from '../files/run-lock.ts';
import type { Terminal } from '../monitoring/terminal.ts';
import { together } from '../nodes/messages.ts';
import { checkNodes, isFirst, propose, toProposal } from '../run/agreement.ts';
import { checkCount, draw } from '../run/draw.ts';
import { Node } from '../run/node.ts';
import { checkPages } from '../run/page-replicas.ts';
import {
  AUTO,
  checkCanBegin,
  describeEnd,
  isFinished,
  type PlanRequest,
  planRun,
  planTraining,
  StoppedEarly,
  type TrainingPlan,
} from '../run/plan-run.ts';
import type { Programs } from '../run/programs.ts';
import { RecordedRun } from '../run/recorded-run.ts';
import { type DeviceSettings, placeOn } from '../run/resolve-devices.ts';
import type { RunHost, RunPlan } from '../run/run-plan.ts';
import { noticeSink } from '../run/run-sinks.ts';
import type { StopSwitch } from '../run/stop.ts';
import { type StoredRunConfig, toRunConfig } from '../run-folder/run-config.ts';
import { type StepLog, toStepLog } from '../run-folder/step-log.ts';
import { mergeSettings } from '../settings/settings.ts';
import { averagedState } from '../training/average.ts';
import { type Communicator, SINGLE_NODE } from '../training/communicator.ts';
import type { TrainingState } from '../training/state.ts';
import type { StepRecord } from '../training/trainer.ts';
import type { Images, SampleOptions, SavedCheckpoint, Training } from './api.ts';
import { joinTraining } from './member-training.ts';
import { checkSampleOptions } from './sample-options.ts';
import { StepGate } from './step-gate.ts';

/** What to train: settings, and the run's folder. */
export interface TrainingRequest extends Pick<PlanRequest, 'layers' | 'resumes'> {
  /** The run's folder; null writes nothing. */
  readonly path: string | null;
  readonly profile?: RunPlan['profile'];
}

/** What the program that trains provides: the command line or the library. */
export interface TrainingHost {
  readonly programs: Programs;
  readonly stop: StopSwitch;
  /** The nodes that train together. Default: this one alone. */
  readonly nodes?: Communicator;
  /** What the settings mean on this machine. @throws when it cannot run */
  readonly chooseDevices: (settings: DeviceSettings) => Promise<Devices>;
  /** Shows the run to people. */
  readonly terminal?: (run: { readonly batch: number; readonly totalSteps: number }) => Terminal;
  /** Receives messages for people. */
  readonly onNotice: (message: string) => void;
  /** Called now and then while data is read, with images read and in all. */
  readonly onReading?: (done: number, total: number) => void;
  /** Asks for a stop, too. */
  readonly signal?: AbortSignal | undefined;
}

/** A training that has begun. */
interface Running {
  readonly node: Node;
  readonly state: TrainingState;
  readonly config: StoredRunConfig;
  readonly totalSteps: number;
  /** Trains to the end. */
  readonly train: (onStep: (record: StepRecord) => Promise<void>) => Promise<void>;
  /** A checkpoint of the present state in the run's folder; null without one. */
  readonly checkpoint: (() => Promise<SavedCheckpoint>) | null;
}

type Planned = RunPlan & Pick<TrainingPlan, 'autoWorkers'>;

export class DrivenTraining implements Training {
  readonly #request: TrainingRequest;
  readonly #host: TrainingHost;
  readonly #gate = new StepGate<StepRecord>();
  #running: Running | undefined;
  #hasBegun = false;
  #isOver = false;

  constructor(request: TrainingRequest, host: TrainingHost) {
    this.#request = request;
    this.#host = host;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<StepLog, void, undefined> {
    if (this.#hasBegun) throw new GanglionError('usage', 'a training can be iterated over once');
    this.#hasBegun = true;
    const gate = this.#gate;
    const trained = this.#train().finally(() => {
      this.#isOver = true;
      gate.end();
    });
    trained.catch(() => {}); // thrown below
    try {
      for (let record = await gate.next(); record !== undefined; record = await gate.next()) {
        yield toStepLog(record, this.#started().config.batch);
      }
    } finally {
      if (!this.#isOver) this.#host.stop.request('the program'); // it has left early
      gate.release();
      await trained;
    }
  }

  /** Whether it came to train; a stop, or an error, may come before. */
  get hasBegun(): boolean {
    return this.#running !== undefined;
  }

  /** Whether the last step is done. */
  get isFinished(): boolean {
    const { state, totalSteps } = this.#running ?? {};
    return state !== undefined && totalSteps !== undefined && state.step >= totalSteps;
  }

  checkpoint(path?: string): Promise<SavedCheckpoint> {
    return this.#whenWhole(async () => {
      const { state, config, checkpoint } = this.#started();
      if (path !== undefined) {
        const { sha256 } = writeCheckpoint(resolve(path), state, JSON.stringify(config));
        return { path: resolve(path), step: state.step, stateSha256: sha256 };
      }
      if (!checkpoint) throw new GanglionError('usage', 'checkpoint: expected a path, as the training has no folder');
      return await checkpoint();
    });
  }

  sample(options?: SampleOptions): Promise<Images> {
    return this.#whenWhole(async () => {
      const { count, seed } = checkSampleOptions(options);
      const { node, state } = this.#started();
      checkCount(count, state.spec);
      state.fetch?.();
      const { programs } = this.#host;
      const values = this.#isOver
        ? await draw(averagedState(state), { count, seed }, { device: node.devices.drawing, programs })
        : await node.sample({ count, seed, ...(state.average ?? { statistics: state.generator.statistics }) });
      return { values, count, shape: imageShapeOf(state.spec) };
    });
  }

  stateSha256(): Promise<string> {
    return this.#whenWhole(async () => stateSha256(this.#started().state));
  }

  #whenWhole<Result>(action: () => Promise<Result>): Promise<Result> {
    if (!this.#hasBegun) return Promise.reject(notBegun());
    return this.#gate.whenWhole(action);
  }

  #started(): Running {
    if (!this.#running) throw notBegun();
    return this.#running;
  }

  async #train(): Promise<void> {
    const { stop, signal } = this.#host;
    if (signal?.aborted) return;
    const onAbort = (): void => stop.request('an abort signal');
    signal?.addEventListener('abort', onAbort);
    try {
      await this.#run();
    } catch (error) {
      if (!(error instanceof StoppedEarly)) throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async #run(): Promise<void> {
    const { path, layers } = this.#request;
    const { nodes = SINGLE_NODE } = this.#host;
    const onStep = (record: StepRecord): Promise<void> => this.#gate.pass(record);
    if (!isFirst(nodes)) {
      const joined = await joinTraining(layers, { ...this.#host, ...this.#planHost(), nodes });
      this.#running = joined && { ...joined, checkpoint: null };
      await joined?.train(onStep);
      return;
    }
    if (path === null) {
      this.#running = await this.#inMemory();
      await this.#running.train(onStep);
      return;
    }
    let held: RunLock | undefined;
    const lock = async (): Promise<LockTicket> => {
      held ??= await lockRunFolder(path, { onWait: this.#host.onNotice });
      return held.ticket;
    };
    try {
      // Before a run is read: another process may be about to change it. A new folder is locked once it is made.
      if (isFolder(path) && (this.#request.resumes || isLocked(path))) await lock();
      this.#running = await this.#inFolder(path, lock);
      await this.#running?.train(onStep);
    } finally {
      held?.release();
    }
  }

  #planHost() {
    const { stop, onNotice, onReading = () => {}, nodes = SINGLE_NODE } = this.#host;
    // Of several nodes none leaves while the others wait for it: the first one proposes nothing, or all stop after a step.
    const shouldStop = (): boolean => nodes.members.length === 1 && stop.requested;
    return { shouldStop, onReading, onNotice };
  }

  /** A node alone, which leaves nothing behind. */
  async #inMemory(): Promise<Running> {
    const { programs, stop, onNotice } = this.#host;
    const plan = await planTraining(mergeSettings(...this.#request.layers), undefined, this.#planHost());
    if (plan.dataset.preparation !== null) onNotice(`data: ${plan.dataset.preparation}`);
    const { settings, state } = plan;
    const { workers, devices, config } = placeOn(await this.#host.chooseDevices(settings), {
      ...plan,
      config: toRunConfig(settings, plan.dataset),
    });
    const node = new Node({
      ...nodePart(plan),
      ...{ config, workers, devices, programs },
      emit: noticeSink(onNotice).observe,
    });
    const train: Running['train'] = async (commit) => {
      try {
        await node.start();
        await node.train({ shouldStop: () => stop.requested, commit });
      } finally {
        await node.stop();
      }
    };
    return { node, state, config, totalSteps: plan.totalSteps, train, checkpoint: null };
  }

  /** A run that leaves a folder behind; undefined when it was stopped before it has, or is finished already. */
  async #inFolder(path: string, lock: RunHost['lock']): Promise<Running | undefined> {
    const { programs, stop, onNotice, terminal, nodes = SINGLE_NODE } = this.#host;
    const plan = await together(nodes, () => this.#plan(path));
    await propose(nodes, plan && toProposal(plan), plan);
    if (!plan) return undefined;
    const { config, state, totalSteps } = plan;
    let onStep: ((record: StepRecord) => Promise<void>) | undefined;
    const run = new RecordedRun(plan, {
      ...{ programs, stop, lock, onNotice, nodes },
      onStep: (record) => onStep?.(record) ?? Promise.resolve(),
      ...(terminal ? { terminal: terminal({ batch: config.batch, totalSteps }) } : {}),
    });
    const train: Running['train'] = async (given) => {
      onStep = given;
      await run.run();
    };
    return { node: run.node, state, config, totalSteps, train, checkpoint: () => run.checkpoint() };
  }

  /** What to record; undefined when it was stopped before it has begun, or is finished already. */
  async #plan(path: string): Promise<Planned | undefined> {
    const { stop, onNotice, terminal, nodes = SINGLE_NODE } = this.#host;
    const planned = await planRun({ ...this.#request, ...this.#planHost(), path });
    if (this.#request.resumes === AUTO && isFinished(planned)) {
      const show = terminal?.({ batch: planned.config.batch, totalSteps: planned.totalSteps }).line ?? onNotice;
      show(`finished: ${describeEnd(planned)}`);
      return undefined;
    }
    checkCanBegin(planned);
    checkNodes(nodes, planned.config);
    const devices = await this.#host.chooseDevices(planned.config);
    checkPages(planned.config, devices);
    return stop.requested ? undefined : { ...planned, ...placeOn(devices, planned) };
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // who reads it says why
  }
}

function nodePart({ dataset, state, totalSteps, faults }: TrainingPlan) {
  return { dataset, state, totalSteps, faults };
}

function notBegun(): GanglionError {
  return new GanglionError('usage', 'the training has not begun: iterate over its steps');
}
