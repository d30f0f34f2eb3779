// What a run leaves behind while it goes on: after every step a line of metrics.jsonl, now and then samples and a checkpoint.
import { join } from 'node:path';
import type { SampleJob } from '../shared/protocol.ts';
import { checkpointName, writeCheckpoint } from './checkpoint.ts';
import type { RunConfig } from './run-config.ts';
import type { JsonLines, RunFolder } from './run-folder.ts';
import { writeSampleGrid } from './samples.ts';
import type { TrainingState } from './state.ts';
import type { StepRecord } from './trainer.ts';

export interface RunRecordsOptions {
  readonly config: RunConfig;
  readonly folder: RunFolder;
  readonly log: JsonLines;
  readonly state: TrainingState;
  readonly lastStep: number;
  readonly perEpoch: number;
  readonly sample: (job: SampleJob) => Promise<Float32Array>;
  readonly onCheckpoint: (path: string, seconds: number, bytes: number) => void;
}

/** A record of metrics.jsonl. */
function toLogRecord({ step, epoch, seconds, discriminator, generator }: StepRecord, batch: number) {
  return {
    step,
    epoch,
    lossDReal: discriminator.lossReal,
    lossDFake: discriminator.lossFake,
    lossG: generator.lossFake,
    outputReal: discriminator.outputReal,
    outputFake: discriminator.outputFake,
    gradientNormD: discriminator.gradientNorm,
    gradientNormG: generator.gradientNorm,
    seconds,
    imagesPerSecond: batch / seconds,
  };
}

export class RunRecords {
  readonly #options: RunRecordsOptions;
  #newest = { step: -1, sha256: '' };

  constructor(options: RunRecordsOptions) {
    this.#options = options;
  }

  /** Everything that is due after a step. */
  async commit(record: StepRecord): Promise<void> {
    const { config, log, lastStep, perEpoch } = this.#options;
    log.append(toLogRecord(record, config.batch));
    const last = record.step === lastStep;
    if (last || record.step % (config.samplesEvery ?? perEpoch) === 0) await this.#sample(record.step);
    if (last || record.step % config.checkpointEvery === 0) this.checkpoint();
  }

  /**
   * Writes a checkpoint of the present state unless there is one. The log goes to the disk before: after a power cut, too, a
   * checkpoint knows no step that the log does not.
   *
   * @returns the state's hash
   */
  checkpoint(): string {
    const { config, folder, log, state, onCheckpoint } = this.#options;
    if (this.#newest.step === state.step) return this.#newest.sha256;
    const started = performance.now();
    log.sync();
    const path = join(folder.checkpoints, checkpointName(state.step));
    const { bytes, sha256 } = writeCheckpoint(path, state, JSON.stringify(config));
    this.#newest = { step: state.step, sha256 };
    onCheckpoint(path, (performance.now() - started) / 1000, bytes);
    return sha256;
  }

  async #sample(step: number): Promise<void> {
    const { config, folder, state, sample } = this.#options;
    const path = join(folder.samples, `step-${String(step).padStart(8, '0')}.png`);
    await writeSampleGrid(path, config.seed, state.generator.statistics, sample);
  }
}
