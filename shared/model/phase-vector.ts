// What a shard contributes to a phase, as one flat vector: the gradient of the net being trained, then losses and mean outputs,
// then BatchNorm statistics. All of it rides in one exact sum, so all of it is independent of the cluster.
import { layoutOf, type Net, type Phase } from './layout.ts';
import type { ModelSpec } from './spec.ts';

/** A forward pass whose BatchNorm statistics are kept. */
export type Forward = 'generator' | 'real' | 'fake';

/** One output of a phase's program and where it lies in the vector. */
export interface Slice {
  readonly output: string;
  readonly offset: number;
  readonly size: number;
}

/** Statistics of one forward pass: mean and variance of every BatchNorm layer, in the order of the net's layout. */
export interface StatisticsSlice {
  readonly net: Net;
  readonly offset: number;
  readonly size: number;
}

export interface PhaseVector {
  readonly length: number;
  /** Length of the gradient, which comes first. */
  readonly gradientCount: number;
  /** Outputs that are copied as they are: gradients and statistics. */
  readonly slices: readonly Slice[];
  /** Offsets of the values computed from logits, by name: `lossReal`, `lossFake`, `outputReal`, `outputFake`. */
  readonly scalars: Readonly<Record<ScalarName, number>>;
  /** In the order in which PyTorch would run the forward passes, and so update its running statistics. */
  readonly statistics: readonly StatisticsSlice[];
}

/** Mean losses and mean outputs of D (probabilities) on real and on fake images. Without a real forward, two stay zero. */
export type ScalarName = 'lossReal' | 'lossFake' | 'outputReal' | 'outputFake';

const SCALARS: readonly ScalarName[] = ['lossReal', 'lossFake', 'outputReal', 'outputFake'];
const FORWARDS: Readonly<Record<Phase, readonly Forward[]>> = {
  discriminator: ['generator', 'real', 'fake'],
  generator: ['generator', 'fake'],
};

/** The vector of a phase. */
export function phaseVectorOf(phase: Phase, spec: ModelSpec): PhaseVector {
  const layout = layoutOf(phase, spec);
  const slices: Slice[] = layout.parameters
    .filter((parameter) => parameter.trained)
    .map(({ name, offset, size }) => ({ output: `gradient/${name}`, offset, size }));
  let length = layout.parameterCount;
  const scalars: Record<ScalarName, number> = { lossReal: 0, lossFake: 0, outputReal: 0, outputFake: 0 };
  for (const name of SCALARS) scalars[name] = length++;
  const statistics = FORWARDS[phase].map((forward) => {
    const net = forward === 'generator' ? 'generator' : 'discriminator';
    const { norms, statisticsCount } = layoutOf(net, spec);
    for (const { name, channels, offset } of norms) {
      slices.push({ output: `${forward}/${name}.mean`, offset: length + offset, size: channels });
      slices.push({ output: `${forward}/${name}.variance`, offset: length + offset + channels, size: channels });
    }
    const slice = { net, offset: length, size: statisticsCount } as const;
    length += statisticsCount;
    return slice;
  });
  return { length, gradientCount: layout.parameterCount, slices, scalars, statistics };
}
