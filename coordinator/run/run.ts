// One run from start to end: opens what it needs, lets the trainer train, writes the summary, closes everything.
import { join } from 'node:path';
import type { Backend } from '../../shared/backend.ts';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { checkpointName, writeCheckpoint } from '../checkpoints/checkpoint.ts';
import { startCheckpointThread } from '../checkpoints/checkpoint-thread.ts';
import { CheckpointWriter } from '../checkpoints/checkpoint-writer.ts';
import type { Dataset } from '../data/dataset.ts';
import { JsonLines } from '../files/json-lines.ts';
import type { LiveActions } from '../http/live-routes.ts';
import { type HttpServer, startHttp } from '../http/server.ts';
import type { Terminal } from '../monitoring/terminal.ts';
import type { FaultPlan } from '../replicas/fault-plan.ts';
import type { GroupObserver } from '../replicas/group-options.ts';
import { ReplicaGroup } from '../replicas/replica-group.ts';
import { startProcessReplica } from '../replicas/transports/process-replica.ts';
import { MemoryPool } from '../replicas/transports/thread-memory.ts';
import { startThreadReplica } from '../replicas/transports/thread-replica.ts';
import { writeAfterRun } from '../report/artifacts.ts';
import { removeAnimation } from '../run-folder/animation.ts';
import { describeEnvironment } from '../run-folder/environment.ts';
import type { StoredRunConfig } from '../run-folder/run-config.ts';
import {
  createRunFolder,
  makeFolders,
  type RunFolder,
  removeSummary,
  removeTemporaries,
  runFolderAt,
  writeJson,
} from '../run-folder/run-folder.ts';
import { countStepFaults, stepOf } from '../run-folder/step-log.ts';
import type { Summary } from '../run-folder/summary.ts';
import { SINGLE_NODE } from '../training/communicator.ts';
import type { TrainingState } from '../training/state.ts';
import { train } from '../training/trainer.ts';
import { loadKernels } from '../training/update.ts';
import { Observers } from './observers.ts';
import { RunRecords } from './run-records.ts';
import { writeRealGrid } from './samples.ts';
import { createStopSwitch, type StopSwitch } from './stop.ts';

export interface Run {
  readonly config: StoredRunConfig;
  /** What computed the newest step that is there; null before the first. */
  readonly ranOnBefore: Backend | null;
  /** Folder of the run. */
  readonly path: string;
  readonly workers: number;
  readonly dataset: Dataset;
  readonly state: TrainingState;
  /** Steps done when the run ends. */
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  /** Whether the folder holds a run already. */
  readonly resumed: boolean;
  /** Compiled entry files of the replicas. */
  readonly threadEntry: URL;
  readonly processEntry: URL;
  /** Compiled entry file of the update's kernels. */
  readonly updateEntry: URL;
  /** What a request to change the run must show; never written anywhere. */
  readonly apiToken: string | null;
  /** Faults that a test of a cluster has planned. */
  readonly faults: FaultPlan | null;
  /** File of a trace of that many steps, for optimising. */
  readonly profile: { readonly path: string; readonly steps: number } | null;
  /** Folder of the live page's files. */
  readonly page: URL;
}

/** What people may ask of a run under way. */
interface Requests {
  readonly stop: StopSwitch;
  /** Asks for a checkpoint after the step under way; undefined while there are no steps. */
  checkpoint: (() => void) | undefined;
}

/** A replica that takes longer than this for one answer counts as lost. */
const DEADLINE_MS = 120_000;

/** @throws GanglionError when the run cannot start or go on; what was written is whole */
export async function runTraining(run: Run): Promise<void> {
  const { config, path, workers, totalSteps, stepsPerEpoch, state } = run;
  const observers = new Observers({
    config,
    path,
    workers,
    firstStep: state.step,
    totalSteps,
    stepsPerEpoch,
    tokenNeeded: run.apiToken !== null,
    profile: run.profile,
    replicas: () => replicas.status,
  });
  const { terminal, status, metrics, live } = observers;
  const replicas = createReplicas(run, observers.group);
  /** Whether the run has come to an end that a report can tell of. */
  let over = false;
  const stop = createStopSwitch((who) => {
    if (!over) observers.stopping(who);
  });
  const requests: Requests = { stop, checkpoint: undefined };
  let http: HttpServer | undefined;
  try {
    // The port first: when it is taken, nothing has been made yet.
    if (config.metricsPort !== 'off') {
      http = await startHttp({
        port: config.metricsPort,
        metrics,
        status: () => status.status,
        shards: config.shards,
        apiToken: run.apiToken,
        resize: (count) => {
          observers.resized(replicas.size, count);
          replicas.resize(count);
        },
        live: { run: live.run, page: run.page, actions: toActions(run, requests) },
      });
    }
    const folder = openFolder(run);
    await observers.open(folder);
    await replicas.start();
    const { backend, libraryVersion, device } = replicas.backend;
    const verb = run.resumed ? `going on at step ${state.step}` : 'training';
    const computing = [`${backend} ${libraryVersion}`, device ?? []].flat().join(', ');
    terminal.line(`${verb}: ${run.dataset.name}; ${workers} workers, ${config.shards} shards; ${computing}`);
    const text = `${verb} with ${workers} workers on ${config.ranOn}`;
    observers.started(folder, run.resumed, text, describeEnvironment(replicas.backend));
    const change = describeChange(run);
    if (change !== undefined) terminal.line(change);
    if (http) {
      terminal.line(`metrics: http://localhost:${http.port}/metrics`);
      terminal.line(`live page: http://localhost:${http.port}/`);
    }
    await trainAndSummarise(run, folder, replicas, observers, requests);
    over = true;
  } catch (error) {
    live.failed(error);
    over = gaveUp(error);
    throw error;
  } finally {
    terminal.finish();
    await replicas.stop();
    if (over) await report(run, terminal);
    await http?.close();
    observers.close();
    stop.dispose();
  }
}

/** What a change of the backend means; undefined when there is none. */
function describeChange({ ranOnBefore, config: { ranOn }, state }: Run): string | undefined {
  if (ranOnBefore === null || ranOnBefore === ranOn) return undefined;
  return `step ${state.step} was computed on ${ranOnBefore}, from here it is ${ranOn}: the bits will differ from those of a run on one of them`;
}

/** Whether a run has ended by too many faults, in order. */
function gaveUp(error: unknown): boolean {
  return error instanceof GanglionError && error.code === 'faults';
}

/** Animation and report. Checkpoint and summary are on the disk; what goes wrong here is said and changes nothing. */
async function report({ path, page }: Run, terminal: Terminal): Promise<void> {
  const onFailure = (message: string): void => terminal.line(`left out of the report: ${message}`);
  try {
    terminal.line(`report: ${await writeAfterRun({ path, page, onFailure })}`);
  } catch (error) {
    terminal.line(`the report is not written: ${messageOf(error)}`);
  }
}

/** What the live page's buttons do. */
function toActions({ apiToken }: Run, requests: Requests): LiveActions {
  return {
    apiToken,
    checkpoint() {
      if (!requests.checkpoint)
        throw new GanglionError('usage', 'there is no step after which a checkpoint can be written');
      requests.checkpoint();
    },
    stop: () => requests.stop.request('a request over HTTP'),
  };
}

function createReplicas(run: Run, observer: GroupObserver): ReplicaGroup {
  const { config, state, workers, faults } = run;
  const { images } = run.dataset;
  const setup = {
    backend: config.ranOn,
    shardSize: config.batch / config.shards,
    spec: state.spec,
    seed: config.seed,
    shards: config.shards,
    parameters: { generator: state.generator.parameters, discriminator: state.discriminator.parameters },
  };
  const pool = new MemoryPool(state.spec, setup.shardSize);
  return new ReplicaGroup({
    count: workers,
    start: (id) =>
      config.isolation === 'process'
        ? startProcessReplica(id, { entry: run.processEntry, setup, images, deadlineMs: DEADLINE_MS })
        : startThreadReplica(id, { entry: run.threadEntry, setup, images, deadlineMs: DEADLINE_MS, pool }),
    observer,
    maxRestarts: config.maxRestarts,
    audit: config.audit,
    faults: faults ? (shard, replica) => faults.take(shard, replica) : undefined,
  });
}

function openFolder({ config, path, resumed, dataset, state }: Run): RunFolder {
  const folder = resumed ? runFolderAt(path) : createRunFolder(path);
  makeFolders(folder);
  removeTemporaries(folder);
  writeJson(folder.config, config);
  removeSummary(folder); // of the end before a resume
  removeAnimation(folder.samples);
  if (state.step === 0) {
    // The first checkpoint before the first step: a run killed at any moment can be resumed.
    writeCheckpoint(join(folder.checkpoints, checkpointName(state.step)), state, JSON.stringify(config));
    writeRealGrid(join(folder.samples, 'real.png'), config.seed, dataset);
  }
  return folder;
}

async function trainAndSummarise(
  run: Run,
  folder: RunFolder,
  replicas: ReplicaGroup,
  observers: Observers,
  requests: Requests,
): Promise<void> {
  const { config, dataset, state, totalSteps, stepsPerEpoch } = run;
  const { terminal, status, metrics, live } = observers;
  const { stop } = requests;
  const firstStep = state.step;
  // Steps after the checkpoint, done before a crash, are done again: their records give way.
  const log = new JsonLines(folder.metrics, (record) => stepOf(record) <= firstStep);
  const writer = new CheckpointWriter({
    folder: folder.checkpoints,
    config: JSON.stringify(config),
    spec: state.spec,
    thread: startCheckpointThread(),
    syncLog: () => {
      observers.flush();
      return log.sync();
    },
    onWritten: (written) => observers.checkpoint(written),
    onHeld: (seconds) => metrics.checkpointHeld(seconds),
  });
  try {
    const records = new RunRecords({
      config,
      folder,
      log,
      writer,
      state,
      totalSteps,
      stepsPerEpoch,
      sample: (job) => replicas.sample(job),
      onSample: (step, png) => observers.sampled(step, png),
    });
    requests.checkpoint = () => records.checkpointSoon();
    const kernels = await loadKernels(run.updateEntry, (error) =>
      terminal.line(`the coordinator computes in JavaScript, to the same bits: ${messageOf(error)}`),
    );
    const startedMs = performance.now();
    if (!stop.requested) status.enter('training');
    await train({
      state,
      dataset,
      replicas,
      communicator: SINGLE_NODE,
      adam: { learningRate: config.lr, beta1: config.beta1, beta2: config.beta2, epsilon: config.epsilon },
      kernels,
      seed: config.seed,
      batch: config.batch,
      shards: config.shards,
      totalSteps,
      maxSkipped: config.maxSkipped,
      shouldStop: () => stop.requested,
      span: observers.span,
      commit: async (record) => {
        const from = performance.now();
        await records.commit(record);
        observers.committed(record, from);
      },
    }).catch(async (error: unknown) => {
      // Too many faults: what has been learned is kept, and can be resumed.
      if (gaveUp(error)) {
        await records.checkpoint();
        terminal.finish();
        terminal.line(`gave up at step ${state.step} of ${totalSteps}; go on with --resume ${run.path}`);
      }
      throw error;
    });
    observers.trained();
    requests.checkpoint = undefined;
    const stateSha256 = await records.checkpoint();
    const wallSeconds = (performance.now() - startedMs) / 1000;
    const summary: Summary = {
      step: state.step,
      epoch: Math.floor(state.step / stepsPerEpoch),
      stateSha256,
      imagesPerSecond: ((state.step - firstStep) * config.batch) / wallSeconds,
      wallSeconds,
      workers: replicas.size,
      shards: config.shards,
      ...replicas.backend,
      restarts: replicas.restarts,
      ...countStepFaults(folder.metrics, state.step),
    };
    writeJson(folder.summary, summary);
    status.enter('finished');
    terminal.finish();
    const ended = state.step === totalSteps ? 'finished' : 'stopped';
    const speed = `${summary.imagesPerSecond.toFixed(0)} images/s`;
    live.ended(`${ended} at step ${state.step} of ${totalSteps}, ${speed}`);
    terminal.line(`${ended} at step ${state.step} of ${totalSteps}: ${speed}, state ${stateSha256}`);
    terminal.line(`pictures: ${folder.samples}`);
    terminal.line(`checkpoints: ${folder.checkpoints}`);
  } finally {
    await writer.close(); // it may still bring the log to the disk
    log.close();
  }
}
