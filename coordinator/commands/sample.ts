// `ganglion sample`: draws digits from the newest checkpoint of a run.

import { GanglionError } from '../../shared/error.ts';
import type { Weights } from '../../shared/evaluation.ts';
import { imageShapeOf, imageSizeOf } from '../../shared/model/spec.ts';
import { printLine } from '../../shared/print.ts';
import { checkpointName, newestCheckpoint } from '../checkpoints/checkpoint.ts';
import { toGrid } from '../images/grid.ts';
import { writeNpySync } from '../images/npy.ts';
import { writePngSync } from '../images/png.ts';
import { draw } from '../run/draw.ts';
import type { Programs } from '../run/programs.ts';
import { storedConfig } from '../run-folder/run-config.ts';
import { runFolderAt } from '../run-folder/run-folder.ts';
import { chooseWeights, ofWeights } from '../run-folder/weights.ts';
import type { Settings } from '../settings/settings-table.ts';
import type { Signals } from './signals.ts';
import { chooseDevice } from './worker-programs.ts';

export interface SampleRequest {
  readonly run: string;
  readonly count: number;
  readonly seed: number;
  /** Ends in .png or .npy. */
  readonly output: string;
  /** BatchNorm on the statistics of the batch instead of the running ones. */
  readonly batchStatistics: boolean;
  /** What computes; undefined is the setting of the run. */
  readonly backend: Settings['backend'] | undefined;
  /** Undefined is the average where there is one. */
  readonly weights: Weights | undefined;
  readonly programs: Programs;
  readonly signals: Signals;
}

/** Images of one batch, whose activations must fit into memory together. */
const MAX_BATCH = 4096;
/** Of such a batch: those of an image stand for its activations. */
const MOST_VALUES = 2 ** 22;

/** Runs the command. @throws GanglionError */
export async function sampleCommand(request: SampleRequest): Promise<void> {
  const { count, output } = request;
  const isPng = output.endsWith('.png');
  if (!isPng && !output.endsWith('.npy')) {
    throw new GanglionError('usage', `--output ${output}: expected a file name that ends in .png or .npy`);
  }
  const checkpoint = newestCheckpoint(runFolderAt(request.run).checkpoints, (message) => {
    printLine(process.stderr, `ganglion: ${message}; using the previous one`);
  });
  const { state, weights } = chooseWeights(checkpoint, request.weights);
  const most = Math.min(MAX_BATCH, Math.floor(MOST_VALUES / imageSizeOf(state.spec)));
  if (request.batchStatistics && (count < 2 || count > most)) {
    throw new GanglionError('usage', `--batch-statistics: expected --count from 2 to ${most}, got ${count}`);
  }
  const device = await chooseDevice(request.backend ?? storedConfig(checkpoint).backend, request.signals);
  const images = await draw(state, request, { device, programs: request.programs });
  const shape = imageShapeOf(state.spec);
  if (isPng) writePngSync(output, toGrid(images, count, Math.ceil(Math.sqrt(count)), shape));
  else writeNpySync(output, images, count, shape);
  printLine(process.stdout, `${count} samples of ${checkpointName(state.step)}${ofWeights(weights)} in ${output}`);
}
