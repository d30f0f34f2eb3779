// The state as tensors of a checkpoint: PyTorch's names and layouts; counters and Adam's powers of beta are tensors, too.
import { GanglionError } from '../../shared/error.ts';
import { fromTorchLayout, toTorchLayout } from '../../shared/model/torch-layout.ts';
import { type StoredTensor, toBytes, toFloat32 } from '../../shared/safetensors.ts';
import { averagedState } from '../training/average.ts';
import { NETS, type NetState, type TrainingState } from '../training/state.ts';

const float32 = (shape: readonly number[], values: Float32Array): StoredTensor => ({
  dtype: 'F32',
  shape,
  bytes: toBytes(values),
});
const float64 = (value: number): StoredTensor => ({ dtype: 'F64', shape: [], bytes: toBytes(Float64Array.of(value)) });
const integer = (value: number): StoredTensor => ({
  dtype: 'I64',
  shape: [],
  bytes: toBytes(BigInt64Array.of(BigInt(value))),
});

function netTensors(
  { layout, parameters, adam, statistics, batchesTracked }: NetState,
  out: Map<string, StoredTensor>,
) {
  const { net } = layout;
  for (const parameter of layout.parameters) {
    const { name, torchShape, offset, size, trained } = parameter;
    const part = (values: Float32Array) =>
      float32(torchShape, toTorchLayout(parameter, values.subarray(offset, offset + size)));
    out.set(`${net}.${name}`, part(parameters));
    if (!trained) continue;
    out.set(`adam.m.${net}.${name}`, part(adam.m));
    out.set(`adam.v.${net}.${name}`, part(adam.v));
  }
  for (const { name, channels, offset } of layout.norms) {
    const mean = statistics.slice(offset, offset + channels);
    const variance = statistics.slice(offset + channels, offset + 2 * channels);
    out.set(`${net}.${name}.running_mean`, float32([channels], mean));
    out.set(`${net}.${name}.running_var`, float32([channels], variance));
    out.set(`${net}.${name}.num_batches_tracked`, integer(batchesTracked));
  }
  out.set(`adam.beta1_power.${net}`, float64(adam.beta1Power));
  out.set(`adam.beta2_power.${net}`, float64(adam.beta2Power));
}

/** The state as tensors in PyTorch's names and layouts; counters and Adam's powers of beta are tensors too. */
export function toTensors(state: TrainingState): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  state.fetch?.();
  for (const net of NETS) netTensors(state[net], tensors);
  tensors.set('counters.step', integer(state.step));
  return tensors;
}

/** PyTorch's names of the averaged generator: what comes after is a name of the generator's state dictionary. */
const AVERAGED = 'generator_ema.';

/** Whether a tensor is one of the averaged generator. */
export function isAveraged(name: string): boolean {
  return name.startsWith(AVERAGED);
}

/** The averaged generator as tensors; none where the state has none. */
export function toAverageTensors(state: TrainingState): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  if (state.average === null) return tensors;
  state.fetch?.();
  const all = new Map<string, StoredTensor>();
  netTensors(averagedState(state).generator, all);
  for (const [name, tensor] of all) {
    if (name.startsWith('generator.')) tensors.set(name.replace('generator.', AVERAGED), tensor);
  }
  return tensors;
}

function readValue(tensor: StoredTensor): number {
  const view = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.byteLength);
  return tensor.dtype === 'I64' ? Number(view.getBigInt64(0, true)) : view.getFloat64(0, true);
}

/**
 * Fills `state` from tensors that must be exactly those that `toTensors` gives for it.
 *
 * @param path of their file, for messages
 * @throws GanglionError `checkpoint` when they are not
 */
export function fillState(state: TrainingState, tensors: ReadonlyMap<string, StoredTensor>, path: string): void {
  const expected = new Map([...toTensors(state), ...toAverageTensors(state)]);
  for (const [name, { dtype, shape }] of expected) {
    const tensor = tensors.get(name);
    if (!tensor) throw new GanglionError('checkpoint', `${path}: tensor ${name} is missing`);
    if (tensor.dtype !== dtype || tensor.shape.join() !== shape.join()) {
      const got = `${tensor.dtype} [${tensor.shape}]`;
      throw new GanglionError('checkpoint', `${path}: tensor ${name} expected ${dtype} [${shape}], got ${got}`);
    }
  }
  const extra = [...tensors.keys()].find((name) => !expected.has(name));
  if (extra !== undefined) throw new GanglionError('checkpoint', `${path}: unknown tensor ${extra}`);
  const get = (name: string): StoredTensor => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`tensor ${name} was checked before`);
    return tensor;
  };
  for (const net of NETS) {
    const { layout, parameters, adam, statistics } = state[net];
    for (const parameter of layout.parameters) {
      const { name, offset, size, trained } = parameter;
      const fill = (key: string, out: Float32Array): void =>
        fromTorchLayout(parameter, toFloat32(get(key)), out.subarray(offset, offset + size));
      fill(`${net}.${name}`, parameters);
      if (!trained) continue;
      fill(`adam.m.${net}.${name}`, adam.m);
      fill(`adam.v.${net}.${name}`, adam.v);
    }
    const tracked = new Set<number>();
    for (const { name, channels, offset } of layout.norms) {
      statistics.set(toFloat32(get(`${net}.${name}.running_mean`)), offset);
      statistics.set(toFloat32(get(`${net}.${name}.running_var`)), offset + channels);
      tracked.add(readValue(get(`${net}.${name}.num_batches_tracked`)));
    }
    // Counted once, stored for every layer.
    if (tracked.size > 1)
      throw new GanglionError('checkpoint', `${path}: layers of the ${net} count different batches`);
    for (const count of tracked) state[net].batchesTracked = count;
    adam.beta1Power = readValue(get(`adam.beta1_power.${net}`));
    adam.beta2Power = readValue(get(`adam.beta2_power.${net}`));
  }
  if (state.average) {
    const { layout } = state.generator;
    for (const parameter of layout.parameters) {
      const { name, offset, size } = parameter;
      const out = state.average.parameters.subarray(offset, offset + size);
      fromTorchLayout(parameter, toFloat32(get(`${AVERAGED}${name}`)), out);
    }
    for (const { name, channels, offset } of layout.norms) {
      state.average.statistics.set(toFloat32(get(`${AVERAGED}${name}.running_mean`)), offset);
      state.average.statistics.set(toFloat32(get(`${AVERAGED}${name}.running_var`)), offset + channels);
    }
  }
  state.step = readValue(get('counters.step'));
}
