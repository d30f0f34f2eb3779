// A run in TensorBoard's log, from the start of training on.
import { join } from 'node:path';
import { toCurves } from '../../../shared/step-scalars.ts';
import { REAL_SAMPLE } from '../../run-folder/pictures.ts';
import type { RunEvent, RunSink } from '../../run-folder/run-event.ts';
import type { RunFolder } from '../../run-folder/run-folder.ts';
import { toStepScalars } from '../../training/step-scalars.ts';
import { TensorBoardLog } from './tensorboard-log.ts';

export interface TensorBoardSinkOptions {
  readonly folder: RunFolder;
  /** Images a step. */
  readonly batch: number;
  /** Called once when the log cannot be written; the run continues without it. */
  readonly onFailure: (message: string) => void;
}

export class TensorBoardSink implements RunSink {
  readonly #options: TensorBoardSinkOptions;
  #log: TensorBoardLog | undefined;

  constructor(options: TensorBoardSinkOptions) {
    this.#options = options;
  }

  observe(event: RunEvent): void {
    const { folder, batch, onFailure } = this.#options;
    switch (event.kind) {
      case 'started':
        this.#log = new TensorBoardLog({
          folder: folder.path,
          resumedAt: event.resumed ? event.step : null,
          onFailure: (message) => onFailure(`${message}; nothing more is written for TensorBoard`),
        });
        if (event.step === 0) this.#log.real(join(folder.samples, REAL_SAMPLE));
        break;
      case 'step':
        this.#log?.step(event.record.step, toCurves(toStepScalars(event.record, batch)));
        break;
      case 'sampled':
        this.#log?.sample(event.step, event.png);
        break;
      case 'evaluated':
        this.#log?.evaluation(event.evaluation);
        break;
      case 'flush':
        this.#log?.flush();
        break;
    }
  }

  /** Resolves once what was flushed is on the disk. */
  async sync(): Promise<void> {
    await this.#log?.sync();
  }

  close(): void {
    this.#log?.close();
  }
}
