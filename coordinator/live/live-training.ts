// A run under way for the live page: the trainer's records become curves, the timeline is that of events.jsonl.
import type { LiveRunInfo, LiveStatus } from '../../shared/live-protocol.ts';
import { toCurves } from '../../shared/step-scalars.ts';
import type { Status } from '../monitoring/status.ts';
import { readEvaluations } from '../run-folder/evaluation-log.ts';
import type { RunConfig } from '../run-folder/run-config.ts';
import type { RunEvent, RunSink } from '../run-folder/run-event.ts';
import { type RunFolder, runFolderAt } from '../run-folder/run-folder.ts';
import { readLog } from '../run-folder/step-log.ts';
import type { Timeline } from '../run-folder/timeline.ts';
import { toStepScalars } from '../training/step-scalars.ts';
import { LiveRun } from './live-run.ts';

export interface LiveTrainingOptions {
  /** Folder of the run. */
  readonly path: string;
  readonly config: RunConfig;
  readonly actions: LiveRunInfo['actions'];
  readonly status: () => Status;
  /** What happens, noted by whoever keeps it. */
  readonly timeline: Timeline;
}

export class LiveTraining implements RunSink {
  readonly run: LiveRun;
  readonly #options: LiveTrainingOptions;
  #sample: number | null = null;
  #failed = false;

  constructor(options: LiveTrainingOptions) {
    const { path, config, actions, timeline } = options;
    this.#options = options;
    this.run = new LiveRun({
      path,
      samples: runFolderAt(path).samples,
      batch: config.batch,
      config,
      actions,
      status: () => this.#status(),
      timeline,
    });
  }

  /**
   * Reads the curves of the run up to `step`.
   *
   * @throws GanglionError when the log cannot be read
   */
  async open(folder: RunFolder, step: number): Promise<void> {
    if (step === 0) return;
    await readEvaluations(folder.evaluations, (evaluation) => {
      if (evaluation.step <= step) this.run.evaluated(evaluation);
    });
    await readLog(folder.metrics, (logged) => {
      if (logged.step <= step) this.run.history.add(logged.step, logged.values);
    });
  }

  observe(event: RunEvent): void {
    switch (event.kind) {
      case 'started':
        this.run.environment = event.environment;
        break;
      case 'step': {
        const { record } = event;
        this.run.history.add(record.step, toCurves(toStepScalars(record, this.#options.config.batch)));
        break;
      }
      case 'sampled':
        this.#sample = event.step;
        break;
      case 'evaluated':
        this.run.evaluated(event.evaluation);
        break;
      case 'failed':
        this.#failed = true;
        break;
    }
  }

  #status(): Omit<LiveStatus, 'evaluated'> {
    const { state, healthy, step, steps, epoch, imagesPerSecond, restarts, replicas, nodes } = this.#options.status();
    const ended = this.#failed || (state === 'finished' && step < steps);
    return {
      state: ended ? 'stopped' : state,
      healthy,
      step,
      steps,
      epoch,
      imagesPerSecond: Math.round(imagesPerSecond),
      restarts,
      ...{ replicas, nodes },
      sample: this.#sample,
    };
  }
}
