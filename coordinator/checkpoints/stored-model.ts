// Which model a checkpoint is of: the member of the family whose tensors have the sizes of those that are stored.
import { layoutOf } from '../../shared/model/layout.ts';
import { dcgan, dcgan28, describeWidth, IMAGE_SIDES, type ModelSpec } from '../../shared/model/spec.ts';
import type { StoredTensor } from '../../shared/safetensors.ts';
import { NETS } from '../training/state.ts';

/**
 * Finds the model of a checkpoint. It goes by the bytes of its tensors, not by their shapes: a shape can ask for any memory.
 *
 * @returns the seed's model with the checkpoint's latent size where no member of the family has these tensors, so that it can be said what differs
 */
export function storedModel(tensors: ReadonlyMap<string, StoredTensor>): ModelSpec {
  const sizeOf = (name: string): number => (tensors.get(name)?.bytes.length ?? 0) / Float32Array.BYTES_PER_ELEMENT;
  const has = (spec: ModelSpec): boolean =>
    NETS.every((net) => {
      const own = [...tensors.keys()].filter((name) => name.startsWith(`${net}.`) && !/\.(running_|num_)/.test(name));
      const { parameters } = layoutOf(net, spec);
      return (
        own.length === parameters.length && parameters.every(({ name, size }) => sizeOf(`${net}.${name}`) === size)
      );
    });
  const first = sizeOf('generator.main.0.weight');
  for (const imageSize of IMAGE_SIDES) {
    for (const channels of [1, 3] as const) {
      const one = dcgan({ latentSize: 1, imageSize, channels, width: 1 });
      const [filter, gamma] = layoutOf('generator', one).parameters;
      if (!filter || !gamma) throw new Error('a generator without parameters');
      const width = sizeOf(`generator.${gamma.name}`) / gamma.size;
      const latentSize = first / (filter.size * width);
      if (!Number.isSafeInteger(latentSize) || latentSize < 1 || describeWidth({ imageSize, width })) continue;
      const spec = dcgan({ latentSize, imageSize, channels, width });
      if (has(spec)) return spec;
    }
  }
  const [filter] = layoutOf('generator', dcgan28(1)).parameters;
  return dcgan28(Math.floor(first / (filter?.size ?? 1)));
}
