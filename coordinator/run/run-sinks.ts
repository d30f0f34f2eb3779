// The sinks of a recorded run. An event is emitted once and goes to each of them in turn.
import { basename } from 'node:path';
import type { Backend } from '../../shared/backend.ts';
import { messageOf } from '../../shared/error.ts';
import type { GpuFigures } from '../../shared/gpu-figures.ts';
import { toPrintable } from '../../shared/printable.ts';
import { isOwned } from '../files/owned-folders.ts';
import { LiveTraining } from '../live/live-training.ts';
import { createMetrics, type Metrics } from '../monitoring/metrics.ts';
import { NodeTable } from '../monitoring/node-table.ts';
import { OwnReport } from '../monitoring/own-report.ts';
import { Profile } from '../monitoring/profile.ts';
import { StatusKeeper } from '../monitoring/status.ts';
import { TargetsFile } from '../monitoring/targets-file.ts';
import { TensorBoardSink } from '../monitoring/tensorboard/tensorboard-sink.ts';
import { type Terminal, terminalSink } from '../monitoring/terminal.ts';
import { writeTrace } from '../monitoring/trace.ts';
import type { ReplicaStatus } from '../replicas/replica-status.ts';
import { EventFold } from '../run-folder/event-fold.ts';
import { EventLog } from '../run-folder/events.ts';
import type { StoredRunConfig } from '../run-folder/run-config.ts';
import { type RunEvent, type RunSink, sentenceOf } from '../run-folder/run-event.ts';
import { type RunFolder, runFolderAt } from '../run-folder/run-folder.ts';
import type { Communicator } from '../training/communicator.ts';
import { shareTrace } from './share-trace.ts';

/** What the sinks of every node need to know of a run. */
export interface ObservedNode {
  readonly config: StoredRunConfig;
  readonly path: string;
  readonly workers: number;
  /** Steps done when this process begins. */
  readonly firstStep: number;
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly replicas: () => readonly ReplicaStatus[];
  /** The backend that computes now: without GPUs that are lost. */
  readonly backend: () => Backend;
  readonly gpus: () => readonly GpuFigures[];
  readonly nodes: NodesOfRun;
  readonly metricsPort: () => number | null;
}

export interface ObservedRun extends ObservedNode {
  readonly tokenNeeded: boolean;
  /** File of a trace of that many steps. */
  readonly profile: { readonly path: string; readonly steps: number } | null;
  /** Shows the run to people. */
  readonly terminal?: Terminal | undefined;
  /** Receives notices where there is no terminal. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** The nodes that train together. */
export interface NodesOfRun {
  readonly communicator: Communicator;
  /** Numbers of those at the start of the job. */
  readonly all: readonly number[];
}

/** Steps before a profile begins, or half of a short run: V8 compiles for some hundred, beside the replicas. */
const PROFILE_AFTER = 500;

export class RunSinks {
  readonly status: StatusKeeper;
  readonly metrics: Metrics;
  readonly live: LiveTraining;
  readonly #run: ObservedRun;
  readonly #events: EventLog;
  readonly #targets: TargetsFile;
  readonly #tensorboard: TensorBoardSink | undefined;
  readonly #profile: Profile | undefined;
  readonly #fold: EventFold;
  readonly #sinks: readonly RunSink[];

  constructor(run: ObservedRun) {
    const { config, path, firstStep, terminal, onNotice } = run;
    this.#run = run;
    const own = new OwnReport(run);
    const table = new NodeTable({ ...run.nodes, own: () => own.report });
    this.status = createStatus(run, table);
    this.metrics = createNodeMetrics(run, { writes: true });
    this.#events = new EventLog({
      step: firstStep,
      onFailure: (message) => this.#logFailed(`${message}; the timeline is no longer written`),
    });
    this.live = new LiveTraining({
      path,
      config,
      actions: { tokenNeeded: run.tokenNeeded, mostWorkers: config.shards, mostPages: config.pageReplicas },
      status: () => this.status.status,
      timeline: this.#events.timeline,
    });
    this.#targets = new TargetsFile({
      path: runFolderAt(path).targets,
      table,
      onFailure: (message) => this.#logFailed(message),
    });
    this.#tensorboard =
      config.tensorboard === 'off'
        ? undefined
        : new TensorBoardSink({
            folder: runFolderAt(path),
            batch: config.batch,
            onFailure: (message) => this.#logFailed(message),
          });
    this.#profile = createProfile(run);
    const shown = terminal ? terminalSink(terminal, () => this.status.status) : onNotice && noticeSink(onNotice);
    this.#fold = new EventFold((event) => {
      this.#events.observe(event);
      shown?.observe(event);
    });
    // The profile comes last: its span of a commit has all others in it.
    const sinks = [
      this.metrics,
      own,
      table,
      this.#targets,
      this.status,
      this.live,
      this.#tensorboard,
      this.#fold,
      this.#profile,
    ];
    this.#sinks = sinks.filter((sink) => sink !== undefined);
  }

  /** Gives an event to every sink. */
  readonly emit = (event: RunEvent): void => {
    for (const sink of this.#sinks) sink.observe(event);
  };

  /** Writes what all nodes have recorded into the profile, where there is one. @throws GanglionError */
  async gatherProfile(): Promise<void> {
    const { profile, nodes } = this.#run;
    if (!this.#profile || !profile || nodes.all.length === 1) return;
    try {
      writeTrace(profile.path, await shareTrace(nodes.communicator, this.#profile));
    } catch (error) {
      this.#notice(`the profile has no other nodes: ${messageOf(error)}`);
    }
  }

  /** Restarts of replicas of other nodes. */
  get restartsElsewhere(): number {
    const { node: own } = this.#run.nodes.communicator;
    const others = this.status.status.nodes.filter(({ node }) => node !== own);
    return others.reduce((sum, { restarts }) => sum + restarts, 0);
  }

  /** Opens the logs; the run's folder exists by now. @throws GanglionError when its log cannot be read, or the profile not be written */
  async open(folder: RunFolder): Promise<void> {
    this.#profile?.open();
    await this.live.open(folder, this.#run.firstStep);
    await this.#events.open(folder.events);
  }

  /** Resolves once every log has on the disk what was emitted so far. It must not be closed meanwhile. */
  async sync(): Promise<void> {
    this.emit({ kind: 'flush' });
    await Promise.all([this.#events.sync(), this.#tensorboard?.sync()]);
  }

  close(): void {
    this.#fold.flush();
    this.#events.close();
    this.#targets.close();
    this.#tensorboard?.close();
  }

  /** The run goes on without that log. When the folder is another process's by now it ends, and says so itself. */
  #logFailed(message: string): void {
    if (isOwned(this.#run.path)) this.#notice(message);
  }

  #notice(text: string): void {
    this.emit({ kind: 'notice', text });
  }
}

/** Hands notices on, and nothing else. */
export function noticeSink(onNotice: (text: string) => void): RunSink {
  return {
    observe(event) {
      if (event.kind === 'notice' || event.kind === 'nodesLost' || event.kind === 'gpuLost')
        onNotice(sentenceOf(event) ?? '');
    },
  };
}

export function createStatus(
  { path, firstStep, stepsPerEpoch, totalSteps, config, backend }: Omit<ObservedNode, 'metricsPort'>,
  table: NodeTable,
): StatusKeeper {
  return new StatusKeeper({
    run: path,
    step: firstStep,
    epoch: Math.floor(Math.max(0, firstStep - 1) / stepsPerEpoch),
    steps: totalSteps,
    batch: config.batch,
    get backend() {
      return backend();
    },
    table,
  });
}

/** @param writes whether this node writes the run */
export function createNodeMetrics(
  { path, config, workers, replicas, gpus, backend, nodes: { communicator, all } }: Omit<ObservedNode, 'metricsPort'>,
  { writes }: { readonly writes: boolean },
): Metrics {
  const info = {
    run: toPrintable(basename(path)),
    node_version: process.version,
    backend: config.chosenBackend,
    workers: String(workers),
    shards: String(config.shards),
  };
  return createMetrics({
    ...{ batch: config.batch, replicas, gpus, info, backend, writes },
    node: all.length > 1 ? communicator.node : undefined,
  });
}

/** @param profile the file, and steps recorded */
export function createProfile({
  profile,
  firstStep,
  totalSteps,
}: Pick<ObservedNode, 'firstStep' | 'totalSteps'> & {
  readonly profile: { readonly path: string | null; readonly steps: number } | null;
}): Profile | undefined {
  if (!profile) return undefined;
  const after = firstStep + Math.min(PROFILE_AFTER, Math.floor((totalSteps - firstStep) / 2));
  return new Profile({ ...profile, after });
}
