// What a run writes while it trains: after every step a line of metrics.jsonl, at intervals samples and a checkpoint.
import { join } from 'node:path';
import type { SampleJob } from '../../shared/protocol.ts';
import type { CheckpointWriter } from '../checkpoints/checkpoint-writer.ts';
import type { JsonLines } from '../files/json-lines.ts';
import { sampleName } from '../run-folder/pictures.ts';
import type { RunConfig } from '../run-folder/run-config.ts';
import type { RunFolder } from '../run-folder/run-folder.ts';
import { toStepLog } from '../run-folder/step-log.ts';
import { toMilliseconds } from '../settings/settings-table.ts';
import type { TrainingState } from '../training/state.ts';
import type { StepRecord } from '../training/trainer.ts';
import type { RunEvaluations } from './run-evaluations.ts';
import { writeSampleGrid } from './samples.ts';

export interface RunRecordsOptions {
  readonly config: RunConfig;
  readonly folder: RunFolder;
  readonly log: JsonLines;
  readonly writer: Pick<CheckpointWriter, 'save' | 'check' | 'settle'>;
  /** Begins what is due of the present step. */
  readonly evaluations?: Pick<RunEvaluations, 'commit' | 'isDue'> | undefined;
  readonly state: TrainingState;
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly sample: (job: SampleJob) => Promise<Float32Array>;
  /** Receives a grid that was written, with the bytes of its file. */
  readonly onSample?: (step: number, png: Uint8Array) => void;
  /** Monotonic clock in milliseconds. */
  readonly now?: () => number;
}

export class RunRecords {
  readonly #options: RunRecordsOptions;
  readonly #now: () => number;
  /** End of the newest copy; before the first, the beginning. */
  #savedMs: number;
  #wanted = false;

  constructor(options: RunRecordsOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#savedMs = this.#now();
  }

  /**
   * Writes everything that is due after a step. The state must not change before this resolves. Where the state lies on a device that is lost
   * meanwhile, the step is not logged, and may be committed again.
   *
   * @param onLogged called once the step is in the log and its samples are drawn, before its checkpoint: no other log is behind that
   * @throws GanglionError also for a checkpoint of an earlier step that has failed meanwhile; this step is not logged then
   */
  async commit(record: StepRecord, onLogged: () => void = () => {}): Promise<void> {
    const { config, log, writer, evaluations, state, totalSteps, stepsPerEpoch } = this.#options;
    writer.check();
    const last = record.step === totalSteps;
    const isSampled = last || record.step % (config.samplesEvery ?? stepsPerEpoch) === 0;
    const isSaved = last || this.#isCheckpointDue(record.step);
    if (isSampled || isSaved || evaluations?.isDue) state.fetch?.();
    if (isSampled) await this.#sample(record.step);
    log.append(toStepLog(record, config.batch));
    onLogged();
    const isEvaluated = (await evaluations?.commit()) === true;
    const isKept = isEvaluated && config.keepBest === 'on';
    if (isSaved || isKept) await this.#save();
  }

  /** Requests a checkpoint after the current step. */
  checkpointSoon(): void {
    this.#wanted = true;
  }

  /**
   * Waits until there is a checkpoint of the current state, which must be that after a whole step.
   *
   * @returns the state's hash
   * @throws GanglionError `environment` when it cannot be written, or an earlier one could not
   */
  async checkpoint(): Promise<string> {
    const { state, writer } = this.#options;
    const newest = await writer.settle();
    if (newest?.step === state.step) return newest.sha256;
    await this.#save();
    const written = await writer.settle();
    if (written?.step !== state.step) throw new Error(`expected a checkpoint of step ${state.step}`);
    return written.sha256;
  }

  #isCheckpointDue(step: number): boolean {
    const { checkpointEvery } = this.#options.config;
    if (this.#wanted) return true;
    if (typeof checkpointEvery === 'number') return step % checkpointEvery === 0;
    return this.#now() - this.#savedMs >= toMilliseconds(checkpointEvery);
  }

  async #save(): Promise<void> {
    const { state, writer } = this.#options;
    this.#wanted = false;
    await writer.save(state);
    this.#savedMs = this.#now();
  }

  async #sample(step: number): Promise<void> {
    const { config, folder, state, sample, onSample } = this.#options;
    const path = join(folder.samples, sampleName(step));
    const png = await writeSampleGrid(path, config.seed, state, sample);
    onSample?.(step, png);
  }
}
