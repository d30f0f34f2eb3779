// `ganglion export`: the generator of a run for a browser, as a graph model of TensorFlow.js and as a page to explore it.
import { statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { GanglionError } from '../../shared/error.ts';
import type { Weights } from '../../shared/evaluation.ts';
import type { ExplorerData } from '../../shared/explorer-data.ts';
import { imageShapeOf, imageSizeOf } from '../../shared/model/spec.ts';
import { printLine } from '../../shared/print.ts';
import { toJson } from '../../shared/printable.ts';
import { toBytes } from '../../shared/safetensors.ts';
import { checkpointName, newestCheckpoint } from '../checkpoints/checkpoint.ts';
import { clearestFirst } from '../export/clearest.ts';
import { latentDirections } from '../export/directions.ts';
import { type PageFolders, readPageParts, toPage } from '../export/explorer-page.ts';
import { toGraphModel, WEIGHTS_FILE } from '../export/graph-model.ts';
import { fromSystemError, writeFileAtomicSync } from '../files/atomic-file.ts';
import { makeFolder } from '../files/make-folder.ts';
import { draw } from '../run/draw.ts';
import type { Programs } from '../run/programs.ts';
import { storedConfig } from '../run-folder/run-config.ts';
import { runFolderAt } from '../run-folder/run-folder.ts';
import { chooseWeights, ofWeights } from '../run-folder/weights.ts';
import type { Settings } from '../settings/settings-table.ts';
import type { Signals } from './signals.ts';
import { chooseDevice } from './worker-programs.ts';

export interface ExportRequest {
  readonly run: string;
  /** Folder; made where it is missing, other files in it are left alone. */
  readonly output: string;
  readonly version: string;
  /** What draws the images that the page checks itself by; undefined is the setting of the run. */
  readonly backend: Settings['backend'] | undefined;
  /** Undefined is the average where there is one. */
  readonly weights: Weights | undefined;
  readonly programs: Programs;
  readonly signals: Signals;
  readonly pages: PageFolders;
}

/** Sliders of the page: the strongest directions say most, and more are too many to try. */
const DIRECTIONS = 10;
/** Seed of the digits that the page opens on; its gallery shows so many at once. */
const FIRST = { seed: 1, count: 24 } as const;
/** Of these, so many let the page check that it computes what `ganglion sample` does. */
const CHECKED = 4;
/** Of these, so many that are drawn best: the first is shown, all of them are the path. */
const CLEAREST = 4;

/** Runs the command. @throws GanglionError */
export async function exportCommand(request: ExportRequest): Promise<void> {
  const { run, output, version, programs, pages } = request;
  checkOutput(output);
  const checkpoint = newestCheckpoint(runFolderAt(run).checkpoints, (message) => {
    printLine(process.stderr, `ganglion: ${message}; using the previous one`);
  });
  const parts = readPageParts(pages);
  const device = await chooseDevice(request.backend ?? storedConfig(checkpoint).backend, request.signals);
  const { state, weights: chosen } = chooseWeights(checkpoint, request.weights);
  const images = await draw(state, FIRST, { device, programs });

  const { stateSha256 } = checkpoint;
  const { generator, spec, step } = state;
  const name = basename(resolve(run));
  const { json, weights } = toGraphModel(generator, spec, { ganglion: version, run: name, step, stateSha256 });
  const { values, shares } = latentDirections(generator, spec, DIRECTIONS);
  const data: ExplorerData = {
    run: name,
    step,
    spec,
    directions: { values: toBase64(values), shares },
    check: {
      seed: FIRST.seed,
      count: CHECKED,
      images: toBase64(images.subarray(0, CHECKED * imageSizeOf(spec))),
    },
    clearest: { seed: FIRST.seed, images: clearestFirst(images, FIRST.count, imageShapeOf(spec)).slice(0, CLEAREST) },
  };
  const { parameters, statistics } = generator;
  const page = toPage(parts, { data, weights: Buffer.concat([parameters, statistics].map(toBytes)) });

  makeOutput(output);
  writeFileAtomicSync(join(output, WEIGHTS_FILE), weights);
  writeFileAtomicSync(join(output, 'model.json'), Buffer.from(`${toJson(json)}\n`));
  writeFileAtomicSync(join(output, 'explorer.html'), Buffer.from(page));
  printLine(
    process.stdout,
    `generator of ${checkpointName(step)}${ofWeights(chosen)} in ${output}: model.json, explorer.html`,
  );
}

/** Before anything is computed. */
function checkOutput(path: string): void {
  let stats: ReturnType<typeof statSync>;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw fromSystemError(`--output ${path}: expected a folder`, error, 'usage');
  }
  if (path === '' || (stats && !stats.isDirectory())) {
    throw new GanglionError('usage', `--output ${path}: expected a folder, or nothing there`);
  }
}

function makeOutput(path: string): void {
  try {
    makeFolder(path);
  } catch (error) {
    throw fromSystemError(`cannot make folder ${path}`, error);
  }
}

function toBase64(values: Float32Array): string {
  return Buffer.from(toBytes(values)).toString('base64');
}
