// Evaluations beside the step loop: the loop waits while the generator is copied; a thread then draws, judges and ends. Which steps are
// evaluated depends on their numbers alone, so a run that was killed and resumed has the same evaluations.
import { basename } from 'node:path';
import { type Device, showDevices } from '../../shared/device.ts';
import { messageOf } from '../../shared/error.ts';
import type { Figures, JudgeJob, RealImages } from '../../shared/evaluation.ts';
import { bestFirst, type Distances } from '../checkpoints/best-checkpoint.ts';
import { listCheckpoints } from '../checkpoints/checkpoint.ts';
import { createJudgeThread, type JudgeThread } from '../evaluation/judge-thread.ts';
import { toRealImages } from '../evaluation/real-images.ts';
import { JsonLines } from '../files/json-lines.ts';
import { bestOf, type LoggedEvaluation, readEvaluations, toEvaluationLog } from '../run-folder/evaluation-log.ts';
import type { StoredRunConfig } from '../run-folder/run-config.ts';
import type { RunEvent } from '../run-folder/run-event.ts';
import type { RunFolder } from '../run-folder/run-folder.ts';
import { stepOf } from '../run-folder/step-log.ts';
import type { Summary } from '../run-folder/summary.ts';
import { averagedState } from '../training/average.ts';
import type { TrainingState } from '../training/state.ts';
import type { Placement } from './placement.ts';
import type { RunPlan } from './run-plan.ts';

/** Images that are drawn for an evaluation. */
const COUNT = 2048;
/** Images trained on between two evaluations, where no number of steps is given: an epoch of full MNIST. */
const IMAGES_BETWEEN = 60_000;

/** What summary.json has of evaluations: nothing where there is none. */
type EvaluationSummary = Pick<Summary, 'frechetDistance' | 'bestFrechetDistance' | 'bestStep' | 'bestCheckpoint'>;

export interface RunEvaluationsOptions {
  readonly config: Pick<StoredRunConfig, 'evaluateEvery' | 'batch' | 'seed'>;
  /** What draws images, and what does where a GPU cannot: to the same bits. */
  readonly devices: Pick<Placement, 'drawing' | 'spare'>;
  /** The log, `evaluations.jsonl`. */
  readonly path: string;
  readonly state: TrainingState;
  readonly totalSteps: number;
  readonly real: RealImages;
  readonly thread: JudgeThread;
  /** Resolves when a stop is requested. */
  readonly stopped: Promise<void>;
  readonly onEvaluated: (evaluation: LoggedEvaluation) => void;
  /** Called when an evaluation fails on a GPU, which is not used again, and once when one fails elsewhere: there are no more. The run goes on. */
  readonly onFailure: (message: string) => void;
}

const copyInto = (to: Float32Array, from: Float32Array): void => to.set(from);
const shared = ({ byteLength }: Float32Array): Float32Array => new Float32Array(new SharedArrayBuffer(byteLength));

export class RunEvaluations {
  readonly #options: RunEvaluationsOptions;
  readonly #log: JsonLines;
  readonly #evaluations: LoggedEvaluation[];
  /** The generator of the newest evaluation; the thread reads it. */
  readonly #parameters: Float32Array;
  readonly #statistics: Float32Array;
  /** Never rejects. */
  #underWay: Promise<void> = Promise.resolve();
  #isOver = false;
  #isJudging = false;
  /** A GPU that has failed. */
  #failed: string | undefined;

  private constructor(options: RunEvaluationsOptions, log: JsonLines, evaluations: LoggedEvaluation[]) {
    const { parameters, statistics } = averagedState(options.state).generator;
    this.#options = options;
    this.#log = log;
    this.#evaluations = evaluations;
    this.#parameters = shared(parameters);
    this.#statistics = shared(statistics);
  }

  /**
   * Opens the log; of steps that a crash has undone it forgets what there is. Where the present step is due and not in it, because a crash
   * came between, it is evaluated now.
   *
   * @throws GanglionError when the log cannot be read or written
   */
  static async open(options: RunEvaluationsOptions): Promise<RunEvaluations> {
    const { path, state } = options;
    const log = await JsonLines.open(path, (record) => stepOf(record) <= state.step);
    const evaluations: LoggedEvaluation[] = [];
    await readEvaluations(path, (evaluation) => evaluations.push(evaluation));
    const opened = new RunEvaluations(options, log, evaluations);
    const isMissing = evaluations.at(-1)?.step !== state.step;
    if (state.step > 0 && isMissing && opened.isDue) await opened.#begin();
    return opened;
  }

  /**
   * Begins an evaluation, if the present step is due; resolves once the generator is copied and may change again. At a stop that of an
   * earlier step may be under way still: then a resume begins with this one.
   *
   * @returns whether one was begun
   */
  async commit(): Promise<boolean> {
    if (!this.isDue) return false;
    const isFree = Promise.resolve(this.#underWay).then(() => true);
    const begins = await Promise.race([isFree, this.#options.stopped.then(() => false)]);
    if (begins) await this.#begin();
    return begins;
  }

  /**
   * Resolves once every evaluation begun is in the log, and would outlast a power cut. At a stop it waits for none that is under way: who
   * stops a run may not wait.
   *
   * @throws GanglionError `environment`
   */
  async sync(): Promise<void> {
    await Promise.race([this.#underWay, this.#options.stopped]);
    await this.#log.sync();
  }

  /** As {@link sync}, also for what is under way at a stop. */
  async settle(): Promise<void> {
    await this.#underWay;
    await this.#log.sync();
  }

  /** Of every evaluated step; null while one is under way. */
  get distances(): Distances | null {
    return this.#isJudging ? null : this.#distances;
  }

  /** What summary.json says of them. @param checkpoints folder, where the best one of it is wanted */
  summarise(checkpoints: string | null): EvaluationSummary {
    const last = this.#evaluations.at(-1);
    const best = bestOf(this.#evaluations);
    if (!last || !best) return {};
    const [path] = checkpoints === null ? [] : bestFirst(listCheckpoints(checkpoints), this.#distances);
    return {
      frechetDistance: last.frechetDistance,
      bestFrechetDistance: best.frechetDistance,
      bestStep: best.step,
      ...(path !== undefined && { bestCheckpoint: basename(path) }),
    };
  }

  get #distances(): Distances {
    return new Map(this.#evaluations.map(({ step, frechetDistance }) => [step, frechetDistance]));
  }

  /** Ends the thread, at once, with what is under way. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.#options.thread.close();
    await this.#underWay;
    this.#log.close();
  }

  /** Whether the present step is to be evaluated. */
  get isDue(): boolean {
    const { config, state, totalSteps } = this.#options;
    const { evaluateEvery: every, batch } = config;
    const { step } = state;
    if (every === 'off' || this.#isOver) return false;
    if (step === totalSteps) return true;
    if (every !== null) return step % every === 0;
    const rounds = (steps: number): number => Math.floor((steps * batch) / IMAGES_BETWEEN);
    return rounds(step) > rounds(step - 1);
  }

  async #begin(): Promise<void> {
    await this.#underWay;
    if (this.#isOver) return;
    const { config, state, real } = this.#options;
    state.fetch?.();
    const { generator } = averagedState(state);
    copyInto(this.#parameters, generator.parameters);
    copyInto(this.#statistics, generator.statistics);
    this.#underWay = this.#evaluate(state.step, {
      spec: state.spec,
      parameters: this.#parameters,
      statistics: this.#statistics,
      ...{ seed: config.seed, count: COUNT, real, nearest: false, yields: true },
    });
  }

  async #evaluate(step: number, job: Omit<JudgeJob, keyof Device>): Promise<void> {
    const { state, onEvaluated, onFailure } = this.#options;
    const weights = state.average ? 'ema' : 'raw';
    this.#isJudging = true;
    try {
      const figures = await this.#judge(step, job);
      const evaluation = toEvaluationLog({ step, weights, ...figures });
      this.#log.append(evaluation);
      this.#evaluations.push(evaluation);
      onEvaluated(evaluation);
    } catch (error) {
      if (this.#isOver) return; // closed meanwhile
      this.#isOver = true;
      onFailure(`step ${step} was not evaluated: ${messageOf(error)}; there are no more evaluations`);
    } finally {
      this.#isJudging = false;
    }
  }

  /** @throws GanglionError when it fails elsewhere than on a GPU, which may be lost before anybody else has found that */
  async #judge(step: number, job: Omit<JudgeJob, keyof Device>): Promise<Figures> {
    const { thread, devices, onFailure } = this.#options;
    const { drawing, spare } = devices;
    const device = showDevices([drawing]) === this.#failed ? spare : drawing;
    try {
      return await thread.judge({ ...job, ...device });
    } catch (error) {
      if (this.#isOver || device.backend !== 'cuda') throw error;
      this.#failed = showDevices([device]);
      onFailure(
        `step ${step} is evaluated with ${showDevices([spare])}, as ${this.#failed} failed: ${messageOf(error)}`,
      );
      return await thread.judge({ ...job, ...spare });
    }
  }
}

/** The evaluations of a run; undefined where it asks for none. @throws GanglionError as `RunEvaluations.open` */
export async function openEvaluations(
  { config, dataset, state, totalSteps }: Pick<RunPlan, 'config' | 'dataset' | 'state' | 'totalSteps'>,
  { folder, devices, judgeEntry, stopped, emit, notice }: EvaluationsHost,
): Promise<RunEvaluations | undefined> {
  if (config.evaluateEvery === 'off') return undefined;
  return await RunEvaluations.open({
    ...{ config, devices, state, totalSteps, path: folder.evaluations },
    real: toRealImages(dataset),
    stopped,
    thread: createJudgeThread(judgeEntry),
    onEvaluated: (evaluation) => emit({ kind: 'evaluated', evaluation }),
    onFailure: notice,
  });
}

interface EvaluationsHost {
  readonly folder: RunFolder;
  readonly devices: RunEvaluationsOptions['devices'];
  readonly judgeEntry: URL;
  /** Resolves when a stop is requested. */
  readonly stopped: Promise<void>;
  readonly emit: (event: RunEvent) => void;
  /** Tells people. */
  readonly notice: (text: string) => void;
}
