// One run from start to end: opens what it needs, lets the trainer train, writes the summary, closes everything.
import { join } from 'node:path';
import type { Backend } from '../shared/backend.ts';
import { GanglionError } from '../shared/error.ts';
import { describeShard } from '../shared/protocol.ts';
import { checkpointName, writeCheckpoint } from './checkpoint.ts';
import { startCheckpointThread } from './checkpoint-thread.ts';
import { CheckpointWriter } from './checkpoint-writer.ts';
import { SINGLE_NODE } from './communicator.ts';
import type { Dataset } from './data/dataset.ts';
import type { FaultPlan } from './fault-plan.ts';
import { type HttpServer, startHttp } from './http.ts';
import { LiveTraining } from './live/live-training.ts';
import type { LiveActions } from './live/routes.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { startProcessReplica } from './process-replica.ts';
import { Profile } from './profile.ts';
import { type GroupObserver, ReplicaGroup } from './replica-group.ts';
import type { StoredRunConfig } from './run-config.ts';
import {
  countStepFaults,
  createRunFolder,
  JsonLines,
  makeFolders,
  type RunFolder,
  removeSummary,
  removeTemporaries,
  runFolderAt,
  stepOf,
  writeJson,
} from './run-folder.ts';
import { RunRecords } from './run-records.ts';
import { writeRealGrid } from './samples.ts';
import type { TrainingState } from './state.ts';
import { StatusKeeper } from './status.ts';
import { createStopSwitch, type StopSwitch } from './stop.ts';
import type { Summary } from './summary.ts';
import { describeBadShard } from './task-queue.ts';
import { createTerminal, type Terminal } from './terminal.ts';
import { startThreadReplica } from './thread-replica.ts';
import { train } from './trainer.ts';

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
  readonly lastStep: number;
  readonly perEpoch: number;
  /** Whether the folder holds a run already. */
  readonly resumed: boolean;
  /** Compiled entry files of the replicas. */
  readonly threadEntry: URL;
  readonly processEntry: URL;
  /** What a request to change the run must show; never written anywhere. */
  readonly apiToken: string | null;
  /** Faults that a test of a cluster has planned. */
  readonly faults: FaultPlan | null;
  /** File of a trace of that many steps, for optimising. */
  readonly profile: { readonly path: string; readonly steps: number } | null;
  /** Folder of the live page's files. */
  readonly page: URL;
}

/** What watches a run. */
interface Observers {
  readonly terminal: Terminal;
  readonly status: StatusKeeper;
  readonly metrics: Metrics;
  readonly profile: Profile | undefined;
  readonly live: LiveTraining;
}

/** What people may ask of a run under way. */
interface Requests {
  readonly stop: StopSwitch;
  /** Asks for a checkpoint after the step under way; undefined while there are no steps. */
  checkpoint: (() => void) | undefined;
}

/** A replica that takes longer than this for one answer counts as lost. */
const DEADLINE_MS = 120_000;
/** Steps before a profile begins, or half of a short run: the first ones are slower. */
const PROFILE_AFTER = 20;

/** @throws GanglionError when the run cannot start or go on; what was written is whole */
export async function runTraining(run: Run): Promise<void> {
  const { config, path, workers, lastStep, state } = run;
  const terminal = createTerminal(process.stdout, config.batch);
  const profile = run.profile ? createProfile(run.profile, state.step, lastStep) : undefined;
  const replicas = createReplicas(run, {
    fault(error) {
      const { reason = 'error', message } = error;
      metrics.fault(reason);
      live.lost(error);
      terminal.line(`${message} (${reason}); its shards go to other replicas`);
    },
    straggler(shard, replica) {
      metrics.straggler();
      live.straggler(shard, replica);
      terminal.line(`replica ${replica} is late with ${describeShard(shard)}: given to another one too`);
    },
    audit: () => metrics.audit(),
    ...(profile ? { computed: (id, shard, { seconds }) => profile.computed(id, shard, seconds) } : {}),
    restarted: (replica) => live.restarted(replica),
  });
  const replicaStatus = () => replicas.status;
  const info = {
    node: process.version,
    backend: config.ranOn,
    workers: String(workers),
    shards: String(config.shards),
  };
  const metrics = createMetrics({ batch: config.batch, replicas: replicaStatus, info });
  const status = new StatusKeeper({
    run: path,
    step: state.step,
    epoch: Math.floor(Math.max(0, state.step - 1) / run.perEpoch),
    steps: lastStep,
    batch: config.batch,
    backend: config.ranOn,
    replicas: replicaStatus,
  });
  const live = new LiveTraining({
    path,
    config,
    actions: { tokenNeeded: run.apiToken !== null, mostWorkers: config.shards },
    status: () => status.status,
    onFailure: (message) => terminal.line(`${message}; the timeline is not written any more`),
  });
  const stop = createStopSwitch((who) => {
    status.enter('stopping');
    live.stopping(who);
    terminal.line(`${who}: finishing the step and writing a checkpoint; Ctrl-C again stops at once`);
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
          terminal.line(`${replicas.size} workers become ${count}`);
          live.resized(replicas.size, count);
          replicas.resize(count);
        },
        live: { run: live.run, page: run.page, actions: toActions(run, requests) },
      });
    }
    const folder = openFolder(run);
    profile?.open();
    await live.open(folder, state.step);
    await replicas.start();
    const { backend, libraryVersion, device } = replicas.backend;
    const verb = run.resumed ? `going on at step ${state.step}` : 'training';
    const computing = [`${backend} ${libraryVersion}`, device ?? []].flat().join(', ');
    terminal.line(`${verb}: ${run.dataset.name}; ${workers} workers, ${config.shards} shards; ${computing}`);
    live.started(run.resumed, `${verb} with ${workers} workers on ${config.ranOn}`);
    const change = describeChange(run);
    if (change !== undefined) terminal.line(change);
    if (http) {
      terminal.line(`metrics: http://localhost:${http.port}/metrics`);
      terminal.line(`live page: http://localhost:${http.port}/`);
    }
    await trainAndSummarise(run, folder, replicas, { terminal, status, metrics, live, profile }, requests);
  } catch (error) {
    live.failed(error);
    throw error;
  } finally {
    terminal.finish();
    await replicas.stop();
    await http?.close();
    live.close();
    stop.dispose();
  }
}

/** What a change of the backend means; undefined when there is none. */
function describeChange({ ranOnBefore, config: { ranOn }, state }: Run): string | undefined {
  if (ranOnBefore === null || ranOnBefore === ranOn) return undefined;
  return `step ${state.step} was computed on ${ranOnBefore}, from here it is ${ranOn}: the bits will differ from those of a run on one of them`;
}

function createProfile({ path, steps }: NonNullable<Run['profile']>, firstStep: number, lastStep: number): Profile {
  return new Profile({
    path,
    steps,
    after: firstStep + Math.min(PROFILE_AFTER, Math.floor((lastStep - firstStep) / 2)),
  });
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
  const setup = {
    backend: config.ranOn,
    shardSize: config.batch / config.shards,
    latent: config.latent,
    seed: config.seed,
    shards: config.shards,
    parameters: { generator: state.generator.parameters, discriminator: state.discriminator.parameters },
  };
  return new ReplicaGroup({
    count: workers,
    start: (id) =>
      config.isolation === 'process'
        ? startProcessReplica(id, { entry: run.processEntry, setup, deadlineMs: DEADLINE_MS })
        : startThreadReplica(id, { entry: run.threadEntry, setup, deadlineMs: DEADLINE_MS }),
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
  { terminal, status, metrics, live, profile }: Observers,
  requests: Requests,
): Promise<void> {
  const { config, dataset, state, lastStep, perEpoch } = run;
  const { stop } = requests;
  const firstStep = state.step;
  // Steps after the checkpoint, done before a crash, are done again: their records give way.
  const log = new JsonLines(folder.metrics, (record) => stepOf(record) <= firstStep);
  const writer = new CheckpointWriter({
    folder: folder.checkpoints,
    config: JSON.stringify(config),
    latent: state.latent,
    thread: startCheckpointThread(),
    syncLog: () => log.sync(),
    onWritten: (written) => {
      const { path, seconds, bytes } = written;
      status.checkpoint(path);
      live.checkpoint(written);
      metrics.checkpoint(seconds, bytes);
    },
    onHeld: (seconds) => metrics.checkpointHeld(seconds),
  });
  try {
    const records = new RunRecords({
      config,
      folder,
      log,
      writer,
      state,
      lastStep,
      perEpoch,
      sample: (job) => replicas.sample(job),
      onSample: (step) => live.sampled(step),
    });
    requests.checkpoint = () => records.checkpointSoon();
    const startedMs = performance.now();
    if (!stop.requested) status.enter('training');
    await train({
      state,
      dataset,
      replicas,
      communicator: SINGLE_NODE,
      adam: { learningRate: config.lr, beta1: config.beta1, beta2: config.beta2, epsilon: config.epsilon },
      seed: config.seed,
      batch: config.batch,
      shards: config.shards,
      lastStep,
      maxSkipped: config.maxSkipped,
      shouldStop: () => stop.requested,
      span: profile?.span.bind(profile),
      commit: async (record) => {
        const from = performance.now();
        await records.commit(record);
        metrics.step(record);
        status.step(record);
        live.step(record);
        for (const { skipped, bad } of [record.discriminator, record.generator]) {
          const why = bad.map(describeBadShard).join('; ') || 'bad gradients on another node';
          if (skipped) terminal.line(`update skipped: ${why}`);
        }
        terminal.progress(status.status);
        profile?.span('commit', from, performance.now());
        profile?.committed(record.step);
      },
    }).catch(async (error: unknown) => {
      // Too many faults: what has been learned is kept, and can be resumed.
      if (error instanceof GanglionError && error.code === 'faults') {
        await records.checkpoint();
        terminal.finish();
        terminal.line(`gave up at step ${state.step} of ${lastStep}; go on with --resume ${run.path}`);
      }
      throw error;
    });
    profile?.close();
    requests.checkpoint = undefined;
    const stateSha256 = await records.checkpoint();
    const wallSeconds = (performance.now() - startedMs) / 1000;
    const summary: Summary = {
      step: state.step,
      epoch: Math.floor(state.step / perEpoch),
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
    const ended = state.step === lastStep ? 'finished' : 'stopped';
    const speed = `${summary.imagesPerSecond.toFixed(0)} images/s`;
    live.ended(`${ended} at step ${state.step} of ${lastStep}, ${speed}`);
    terminal.line(`${ended} at step ${state.step} of ${lastStep}: ${speed}, state ${stateSha256}`);
    terminal.line(`pictures: ${folder.samples}`);
    terminal.line(`checkpoints: ${folder.checkpoints}`);
  } finally {
    await writer.close(); // it may still bring the log to the disk
    log.close();
  }
}
