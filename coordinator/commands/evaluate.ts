// `ganglion evaluate`: how good the images of a run's newest checkpoint, or of a checkpoint file, are beside real ones.
import { GanglionError } from '../../shared/error.ts';
import type { Evaluation, RealImages, Weights } from '../../shared/evaluation.ts';
import { printJson, printLine } from '../../shared/print.ts';
import { checkpointName } from '../checkpoints/checkpoint.ts';
import { loadData } from '../data/load-data.ts';
import { createJudgeThread } from '../evaluation/judge-thread.ts';
import { describeReference, toRealImages } from '../evaluation/real-images.ts';
import { checkCount } from '../run/draw.ts';
import type { Programs } from '../run/programs.ts';
import { openCheckpoint } from '../run-folder/open-checkpoint.ts';
import { storedConfig } from '../run-folder/run-config.ts';
import { chooseWeights } from '../run-folder/weights.ts';
import type { Settings } from '../settings/settings-table.ts';
import type { Signals } from './signals.ts';
import { chooseDevice } from './worker-programs.ts';

export interface EvaluateRequest {
  /** Run folder or checkpoint file. */
  readonly path: string;
  /** Images to draw. */
  readonly count: number;
  readonly seed: number;
  /** Where the data lies now; undefined is where the run had it. */
  readonly data: string | undefined;
  /** Undefined is the average where there is one. */
  readonly weights: Weights | undefined;
  readonly json: boolean;
  /** What computes; undefined is the setting of the run. */
  readonly backend: Settings['backend'] | undefined;
  readonly programs: Programs;
  readonly signals: Signals;
}

/** Runs the command. @throws GanglionError */
export async function evaluateCommand(request: EvaluateRequest): Promise<void> {
  const { count, seed, programs, json } = request;
  const checkpoint = openCheckpoint(request.path, (message) => printLine(process.stderr, `ganglion: ${message}`));
  const config = storedConfig(checkpoint);
  const { state, weights } = chooseWeights(checkpoint, request.weights);
  const { spec, generator, step } = state;
  checkCount(count, spec);
  const settings = { ...config, data: request.data ?? config.data };
  const dataset = await loadData({ settings });
  if (dataset.sha256 !== config.dataSha256) {
    const got = `${dataset.name}, ${dataset.sha256.slice(0, 12)}`;
    const expected = `${config.dataName}, SHA-256 ${config.dataSha256.slice(0, 12)}`;
    throw new GanglionError(
      'data',
      `${checkpoint.path}: expected the data that it was trained on (${expected}), got ${got}`,
    );
  }
  const { backend } = await chooseDevice(request.backend ?? config.backend, request.signals);
  const real = toRealImages(dataset);
  const { parameters, statistics } = generator;
  const thread = createJudgeThread(programs.judgeEntry);
  try {
    const job = { backend, spec, parameters, statistics, seed, count, real, nearest: true, yields: false };
    const evaluation = { step, weights, ...(await thread.judge(job)) } as const;
    if (json) printJson(process.stdout, evaluation, 2);
    else for (const line of describe(evaluation, real)) printLine(process.stdout, line);
  } finally {
    await thread.close();
  }
}

/** The figures for people. */
function describe(evaluation: Evaluation, real: RealImages): string[] {
  const { count, step, weights, frechetDistance, floor, floorCount, precision, recall, nearest } = evaluation;
  const { classShares, realShares, totalVariation, confidence } = evaluation;
  const [height, width, channels] = real.shape;
  const isReduced = height !== 28 || width !== 28 || channels !== 1;
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const lines = [
    `${count} samples of ${checkpointName(step)} (${weights} weights), beside ${describeReference(real)}`,
    ...(isReduced ? ['judged as 28 x 28 in grey: compare with runs of the same size and colour alone'] : []),
    `Fréchet distance  ${frechetDistance.toFixed(3)}  (${floor.toFixed(3)} between real images, of ${floorCount}; features of Ganglion's classifier)`,
    `precision         ${precision.toFixed(3)}  (look real)`,
    `recall            ${recall.toFixed(3)}  (of the real images are covered)`,
  ];
  if (classShares && realShares && totalVariation !== null && confidence !== null) {
    lines.push(
      `confidence        ${confidence.toFixed(3)}`,
      `total variation   ${totalVariation.toFixed(3)}  of the shares of the digits`,
      ...classShares.map(
        (share, digit) => `  ${digit}  ${percent(share).padStart(7)}  (real ${percent(realShares[digit] ?? 0)})`,
      ),
    );
  } else lines.push("the data's labels are not the digits 0 to 9: no figures of classes");
  if (nearest) {
    const [drawn, least, others] = [nearest.drawn, nearest.least, nearest.real].map((value) => value.toFixed(3));
    lines.push(`nearest training image  ${drawn} away on average, ${least} at the least  (real images: ${others})`);
  }
  return lines;
}
