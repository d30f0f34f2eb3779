// Draws images of a state's generator, on a replica of its own that lives as long as the drawing.
import type { Device } from '../../shared/device.ts';
import { GanglionError } from '../../shared/error.ts';
import { imageShapeOf, imageSizeOf, type ModelSpec } from '../../shared/model/spec.ts';
import { prepareExit } from '../replicas/transports/living-threads.ts';
import { startThreadReplica } from '../replicas/transports/thread-replica.ts';
import type { TrainingState } from '../training/state.ts';
import type { Programs } from './programs.ts';

export interface DrawRequest {
  readonly count: number;
  /** Noise i depends on (seed, i) only. */
  readonly seed: number;
  /** BatchNorm on the statistics of the batch instead of the running ones. */
  readonly batchStatistics?: boolean;
}

export interface DrawOptions {
  readonly device: Device;
  readonly programs: Pick<Programs, 'threadEntry' | 'updateEntry'>;
}

const DEADLINE_MS = 120_000;
/** Of the images that are drawn at once: 512 MiB. */
const MOST_VALUES = 2 ** 27;

/** @throws GanglionError `usage` for more images of this model than are drawn at once */
export function checkCount(count: number, spec: ModelSpec): void {
  const most = Math.floor(MOST_VALUES / imageSizeOf(spec));
  if (count <= most) return;
  const shape = imageShapeOf(spec).join(' x ');
  throw new GanglionError('usage', `count ${count}: expected at most ${most} images of ${shape}`);
}

/** @returns images [count, values of an image] in [-1, 1] @throws GanglionError, `usage` for too many */
export async function draw(
  state: TrainingState,
  { count, seed, batchStatistics = false }: DrawRequest,
  { device, programs }: DrawOptions,
): Promise<Float32Array> {
  checkCount(count, state.spec);
  const parameters = { generator: state.generator.parameters, discriminator: state.discriminator.parameters };
  const setup = { ...device, shardSize: 2, spec: state.spec, seed, shards: 1, parameters };
  if (device.backend === 'cuda') await prepareExit(programs.updateEntry);
  const replica = await startThreadReplica(0, {
    entry: programs.threadEntry,
    setup,
    images: new Uint8Array(),
    deadlineMs: DEADLINE_MS,
  });
  try {
    const statistics = batchStatistics ? 'batch' : state.generator.statistics;
    const images = await replica.sample({ seed, count, statistics });
    if (images.length !== count * imageSizeOf(state.spec))
      throw new Error(`expected ${count} images, got ${images.length} values`);
    return images;
  } finally {
    await replica.stop();
  }
}
