// A run that leaves a folder behind: opens what it needs, lets its node train, writes log, samples, checkpoints and summary, serves the
// live page, and closes everything.
import { join } from 'node:path';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { checkpointName, emaSha256 } from '../checkpoints/checkpoint.ts';
import { startCheckpointThread } from '../checkpoints/checkpoint-thread.ts';
import { CheckpointWriter } from '../checkpoints/checkpoint-writer.ts';
import type { LockTicket } from '../files/run-lock.ts';
import type { HttpServer } from '../http/server.ts';
import { portHere } from '../machine/rank.ts';
import { together } from '../nodes/messages.ts';
import { describeEnvironment } from '../run-folder/environment.ts';
import { type RunFolder, runFolderAt, writeJson } from '../run-folder/run-folder.ts';
import { countStepFaults } from '../run-folder/step-faults.ts';
import type { Summary } from '../run-folder/summary.ts';
import { type Communicator, SINGLE_NODE } from '../training/communicator.ts';
import type { StepRecord } from '../training/trainer.ts';
import { Node } from './node.ts';
import { openRunFolder } from './open-run-folder.ts';
import { openStepLog } from './open-step-log.ts';
import { reportRun } from './report-run.ts';
import { openEvaluations, type RunEvaluations } from './run-evaluations.ts';
import { describeChange, type RunHost, type RunPlan } from './run-plan.ts';
import { RunRecords } from './run-records.ts';
import { RunSinks } from './run-sinks.ts';

export class RecordedRun {
  readonly node: Node;
  readonly #plan: RunPlan;
  readonly #host: RunHost;
  readonly #nodes: Communicator;
  readonly #sinks: RunSinks;
  #http: HttpServer | undefined;
  #records: RunRecords | undefined;
  /** Of the last checkpoint. */
  #stateSha256: string | undefined;

  constructor(plan: RunPlan, host: RunHost) {
    const { config, path, workers, totalSteps, stepsPerEpoch, state, profile } = plan;
    this.#plan = plan;
    this.#host = host;
    const { terminal, onNotice, nodes = SINGLE_NODE, allNodes = [...nodes.members] } = host;
    this.#nodes = nodes;
    this.#sinks = new RunSinks({
      ...{ config, path, workers, totalSteps, stepsPerEpoch, profile },
      firstStep: state.step,
      tokenNeeded: plan.apiToken !== null,
      ...{ replicas: () => this.node.replicas, gpus: () => this.node.gpus },
      backend: () => this.node.devices.drawing.backend,
      nodes: { communicator: nodes, all: allNodes },
      metricsPort: () => this.#http?.port ?? null,
      ...{ terminal, onNotice },
    });
    this.node = new Node({
      ...{ config, workers, state, totalSteps, devices: plan.devices, dataset: plan.dataset },
      programs: host.programs,
      faults: plan.faults,
      communicator: nodes,
      profiled: profile !== null,
      emit: this.#sinks.emit,
    });
  }

  /**
   * Runs it from start to end.
   *
   * @returns what is in summary.json
   * @throws GanglionError when the run cannot start or continue; what was written is whole
   */
  async run(): Promise<Summary> {
    const { node } = this;
    const { emit } = this.#sinks;
    /** Whether the run ended in a way that a report can show. */
    let over = false;
    this.#host.stop.onRequest((who) => {
      if (!over) emit({ kind: 'stopping', who });
    });
    try {
      const { folder, ticket } = await this.#together(async () => {
        // The port first: when it is taken, nothing has been made yet.
        this.#http = await this.#serve().catch((error: unknown) => {
          if (!this.#host.missed) throw error;
          this.#notice(`no live page from here: ${messageOf(error)}`); // a page is no reason to end
          return undefined;
        });
        const opened = await openRunFolder(this.#plan, this.#host);
        await this.#sinks.open(opened.folder);
        await node.start();
        return opened;
      });
      this.#announce(this.#http);
      const summary = await this.#train(folder, ticket);
      over = true;
      return summary;
    } catch (error) {
      emit({ kind: 'failed', error });
      over = gaveUp(error);
      throw error;
    } finally {
      await node.stop();
      if (over) await reportRun(this.#plan.path, this.#host.programs, (text) => this.#notice(text));
      await this.#http?.close();
      this.#sinks.close();
    }
  }

  /** Asks for a checkpoint after the step under way. @throws GanglionError `usage` while there are no steps */
  checkpointSoon(): void {
    if (!this.#records) {
      throw new GanglionError('usage', 'there is no step after which a checkpoint can be written');
    }
    this.#records.checkpointSoon();
  }

  /**
   * Waits for a checkpoint of the present state, which must be that after a whole step; after the end it is the last one.
   *
   * @throws GanglionError `usage` when the run has ended by an error, `environment` when it cannot be written
   */
  async checkpoint(): Promise<{ path: string; step: number; stateSha256: string }> {
    const { path, state } = this.#plan;
    const { step } = state;
    const stateSha256 = (await this.#records?.checkpoint()) ?? this.#stateSha256;
    if (stateSha256 === undefined) {
      throw new GanglionError('usage', 'checkpoint: the run has ended by an error; expected a path to write it to');
    }
    return { path: join(runFolderAt(path).checkpoints, checkpointName(step)), step, stateSha256 };
  }

  async #serve(): Promise<HttpServer | undefined> {
    const { config, apiToken } = this.#plan;
    const { metrics, status, live } = this.#sinks;
    const { stop, programs } = this.#host;
    if (config.metricsPort === 'off') return undefined;
    const { startHttp } = await import('../http/server.ts'); // only who serves loads Fastify
    return await startHttp({
      port: portHere(config.metricsPort),
      metrics,
      status: () => status.status,
      ...{ shards: config.shards, apiToken },
      reach: config,
      resize: (count) => this.node.resize(count),
      lending: this.node.pages.lending(programs),
      live: {
        run: live.run,
        page: programs.page,
        actions: {
          apiToken,
          checkpoint: () => this.checkpointSoon(),
          stop: () => stop.request('a request over HTTP'),
        },
      },
    });
  }

  /** The replicas are there. */
  #announce(http: HttpServer | undefined): void {
    const { config, resumed, state, workers, dataset } = this.#plan;
    const { computing } = this.node;
    const { engine, libraryVersion, device } = computing;
    this.#sinks.emit({
      kind: 'started',
      resumed,
      step: state.step,
      ...{ nodes: this.#nodes.members.length, workers },
      shards: config.shards,
      data: dataset.name,
      computing: [`${engine} ${libraryVersion}`, device ?? []].flat().join(', '),
      environment: describeEnvironment(computing),
    });
    if (dataset.preparation !== null) this.#notice(`data: ${dataset.preparation}`);
    const change = describeChange(this.#plan);
    if (change !== undefined) this.#notice(change);
    if (!http) return;
    this.#notice(`metrics: http://localhost:${http.port}/metrics`);
    this.#notice(`live page: http://localhost:${http.port}/`);
  }

  async #train(folder: RunFolder, ticket: LockTicket): Promise<Summary> {
    const { config, state, totalSteps, stepsPerEpoch, path } = this.#plan;
    const { stop, onStep } = this.#host;
    const { emit } = this.#sinks;
    const firstStep = state.step;
    const { log, caughtUp } = await openStepLog(folder, { firstStep, batch: config.batch, missed: this.#host.missed });
    for (const record of caughtUp) emit({ kind: 'step', record, fromMs: performance.now() });
    const evaluations = await openEvaluations(this.#plan, {
      ...{ folder, emit, notice: (text) => this.#notice(text), judgeEntry: this.#host.programs.judgeEntry },
      ...{ stopped: stop.whenRequested, devices: this.node.devices },
    });
    const writer = new CheckpointWriter({
      folder: folder.checkpoints,
      config: JSON.stringify(config),
      ...{ spec: state.spec, isAveraged: state.average !== null },
      ticket,
      keep: config.keep === 'all' ? null : config.keep,
      ...(evaluations && config.keepBest === 'on' ? { distances: () => evaluations.distances } : {}),
      thread: startCheckpointThread(),
      syncLogs: async () => {
        await evaluations?.sync(); // what is due comes before the checkpoint: a resume has it, or does it again
        await Promise.all([log.sync(), this.#sinks.sync()]);
      },
      onWritten: (written) => {
        emit({ kind: 'checkpoint', written });
        if (written.notPruned !== undefined) this.#notice(`old checkpoints stay: ${written.notPruned}`);
      },
      onHeld: (seconds) => emit({ kind: 'held', seconds }),
    });
    try {
      const records = new RunRecords({
        ...{ config, folder, log, writer, evaluations, state, totalSteps, stepsPerEpoch },
        sample: (job) => this.node.sample(job),
        onSample: (step, png) => emit({ kind: 'sampled', step, png }),
      });
      this.#records = records;
      const startedMs = performance.now();
      if (!stop.requested) emit({ kind: 'training' });
      const commit = async (record: StepRecord): Promise<void> => {
        const fromMs = performance.now();
        await records.commit(record, () => emit({ kind: 'step', record, fromMs }));
        await onStep?.(record);
      };
      const train = (): Promise<void> =>
        this.node.train({ shouldStop: () => stop.requested, commit }).catch(async (error: unknown) => {
          // Too many faults: what has been learned is kept, and can be resumed.
          if (gaveUp(error)) {
            this.#stateSha256 = await records.checkpoint();
            this.#notice(`gave up at step ${state.step} of ${totalSteps}; resume with --resume ${path}`);
          }
          throw error;
        });
      // No node leaves before the last checkpoint is on the disk.
      const { stateSha256, wallSeconds } = await this.#together(async () => {
        await train();
        const seconds = (performance.now() - startedMs) / 1000; // without what is judged after the last step
        this.#records = undefined;
        return { stateSha256: await records.checkpoint(), wallSeconds: seconds };
      });
      this.#stateSha256 = stateSha256;
      await this.#sinks.gatherProfile(); // no other node waits for what is judged
      await evaluations?.settle();
      const evaluated = evaluations?.summarise(config.keepBest === 'on' ? folder.checkpoints : null);
      return await this.#summarise(folder, { firstStep, stateSha256, evaluated, wallSeconds });
    } finally {
      this.#records = undefined; // its files close
      await writer.close(); // it may still bring the logs to the disk
      await evaluations?.close();
      log.close();
    }
  }

  async #summarise(folder: RunFolder, { firstStep, stateSha256, wallSeconds, evaluated }: RunEnd): Promise<Summary> {
    const { config, state, totalSteps, stepsPerEpoch } = this.#plan;
    const { step } = state;
    const imagesPerSecond = ((step - firstStep) * config.batch) / wallSeconds;
    const averaged = emaSha256(state);
    const summary: Summary = {
      step,
      epoch: Math.floor(step / stepsPerEpoch),
      stateSha256,
      ...(averaged !== null && { emaSha256: averaged }),
      imagesPerSecond,
      wallSeconds,
      workers: this.node.workers,
      ...(this.#nodes.members.length > 1 && { nodes: this.#nodes.members.length }),
      shards: config.shards,
      ...this.node.computing,
      ...evaluated,
      restarts: this.node.restarts + this.#sinks.restartsElsewhere,
      ...(await countStepFaults(folder.metrics, step)),
    };
    writeJson(folder.summary, summary);
    this.#sinks.emit({ kind: 'ended', step, totalSteps, imagesPerSecond, stateSha256 });
    this.#notice(`samples: ${folder.samples}`);
    this.#notice(`checkpoints: ${folder.checkpoints}`);
    if (summary.bestCheckpoint) this.#notice(`best checkpoint: ${join(folder.checkpoints, summary.bestCheckpoint)}`);
    return summary;
  }

  #together<Result>(action: () => Promise<Result>): Promise<Result> {
    return together(this.#nodes, action);
  }

  #notice(text: string): void {
    this.#sinks.emit({ kind: 'notice', text });
  }
}

/** What is known at the end of a run. */
interface RunEnd {
  readonly firstStep: number;
  readonly stateSha256: string;
  readonly wallSeconds: number;
  readonly evaluated: ReturnType<RunEvaluations['summarise']> | undefined;
}

/** Whether a run ended in order because of too many faults, or too few nodes. */
function gaveUp(error: unknown): boolean {
  return error instanceof GanglionError && (error.code === 'faults' || error.code === 'nodes');
}
