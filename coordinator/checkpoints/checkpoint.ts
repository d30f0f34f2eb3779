// A checkpoint: all of the state in one safetensors file that PyTorch can open, with a SHA-256 over the tensors in its metadata.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import { layoutOf } from '../../shared/model/layout.ts';
import { dcgan28, type ModelSpec } from '../../shared/model/spec.ts';
import { fromTorchLayout, toTorchLayout } from '../../shared/model/torch-layout.ts';
import { fromSystemError, writeFileAtomicSync } from '../files/atomic-file.ts';
import { readRegularSync } from '../files/regular-file.ts';
import { emptyState, NETS, type NetState, type TrainingState } from '../training/state.ts';
import { decodeSafetensors, encodeSafetensors, type StoredTensor, toBytes, toFloat32 } from './safetensors.ts';

const FORMAT = 'ganglion-1';
/** Most bytes of a file: ten times those of the largest model, of 4096 latent values. */
const MOST_BYTES = 2 ** 30;
const FILE_NAME = /^step-(\d{8,})\.safetensors$/;

/** A checkpoint as read, verified. */
export interface Checkpoint {
  readonly path: string;
  readonly state: TrainingState;
  readonly stateSha256: string;
  /** The run's config as JSON. */
  readonly config: string;
}

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
  for (const net of NETS) netTensors(state[net], tensors);
  tensors.set('counters.step', integer(state.step));
  return tensors;
}

/** SHA-256 over the bytes of every tensor in order of name, little-endian, in hex. */
export function sha256OfTensors(tensors: ReadonlyMap<string, StoredTensor>): string {
  const hash = createHash('sha256');
  for (const name of [...tensors.keys()].sort()) hash.update(tensors.get(name)?.bytes ?? '');
  return hash.digest('hex');
}

function sha256OfText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The state's identity: equal exactly when every tensor and counter is equal to the bit. */
export function stateSha256(state: TrainingState): string {
  return sha256OfTensors(toTensors(state));
}

/** Name of the checkpoint file of a step: `step-00000500.safetensors`. */
export function checkpointName(step: number): string {
  return `step-${String(step).padStart(8, '0')}.safetensors`;
}

/**
 * Writes a checkpoint whole or not at all.
 *
 * @param config the run's config as JSON
 * @returns size of the file in bytes, and the state's hash
 * @throws GanglionError `environment` when the disk is full or read-only
 */
export function writeCheckpoint(path: string, state: TrainingState, config: string): { bytes: number; sha256: string } {
  const tensors = toTensors(state);
  const sha256 = sha256OfTensors(tensors);
  const metadata = { format: FORMAT, config, configSha256: sha256OfText(config), stateSha256: sha256 };
  const file = encodeSafetensors({ metadata, tensors });
  writeFileAtomicSync(path, file);
  return { bytes: file.length, sha256 };
}

function readValue(tensor: StoredTensor): number {
  const view = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.byteLength);
  return tensor.dtype === 'I64' ? Number(view.getBigInt64(0, true)) : view.getFloat64(0, true);
}

/** Fills `state` from tensors that must be exactly those that `toTensors` gives for it. */
function fillState(state: TrainingState, tensors: ReadonlyMap<string, StoredTensor>, path: string): void {
  const expected = toTensors(state);
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
    for (const { name, channels, offset } of layout.norms) {
      statistics.set(toFloat32(get(`${net}.${name}.running_mean`)), offset);
      statistics.set(toFloat32(get(`${net}.${name}.running_var`)), offset + channels);
      state[net].batchesTracked = readValue(get(`${net}.${name}.num_batches_tracked`));
    }
    adam.beta1Power = readValue(get(`adam.beta1_power.${net}`));
    adam.beta2Power = readValue(get(`adam.beta2_power.${net}`));
  }
  state.step = readValue(get('counters.step'));
}

/** The model of a checkpoint: `model` with the latent size that its tensors have. */
function specOf(tensors: ReadonlyMap<string, StoredTensor>, model: (latentSize: number) => ModelSpec): ModelSpec {
  const [first] = layoutOf('generator', model(1)).parameters;
  if (!first) throw new Error('a generator without parameters');
  // From the bytes, not from the shape: a shape can ask for any memory.
  const bytes = tensors.get(`generator.${first.name}`)?.bytes.length ?? 0;
  return model(Math.floor(bytes / (first.size * Float32Array.BYTES_PER_ELEMENT)));
}

/**
 * Reads and verifies a checkpoint.
 *
 * @param model whose state it is, by the latent size
 * @throws GanglionError `checkpoint` when it is truncated, altered or not a checkpoint
 */
export function readCheckpoint(path: string, model: (latentSize: number) => ModelSpec = dcgan28): Checkpoint {
  let bytes: Uint8Array;
  try {
    bytes = readRegularSync(path, MOST_BYTES);
  } catch (error) {
    throw fromSystemError(`cannot read ${path}`, error, 'checkpoint');
  }
  const { metadata, tensors } = decodeSafetensors(bytes, path);
  const { format, config, stateSha256: expected } = metadata;
  if (format !== FORMAT || config === undefined || expected === undefined) {
    throw new GanglionError('checkpoint', `${path}: not a checkpoint of Ganglion (expected format ${FORMAT})`);
  }
  if (metadata.configSha256 !== sha256OfText(config)) {
    throw new GanglionError('checkpoint', `${path}: altered: its config does not have the SHA-256 stored with it`);
  }
  const sha256 = sha256OfTensors(tensors);
  if (sha256 !== expected) {
    throw new GanglionError('checkpoint', `${path}: altered: expected SHA-256 ${expected}, got ${sha256}`);
  }
  const state = emptyState(specOf(tensors, model));
  fillState(state, tensors, path);
  return { path, state, stateSha256: sha256, config };
}

/** The step in the name of a checkpoint's file; -1 when it is none. */
export function stepOfCheckpoint(path: string): number {
  return Number(FILE_NAME.exec(basename(path))?.[1] ?? -1);
}

/**
 * Checkpoint files of a run, newest first; none when it has no folder for them yet.
 *
 * @param folder `checkpoints` in the run folder
 * @throws GanglionError `checkpoint` when there is no run folder, or it cannot be read
 */
export function listCheckpoints(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw fromSystemError(`cannot read ${folder}`, error, 'checkpoint');
    if (!existsSync(dirname(folder))) throw new GanglionError('checkpoint', `${dirname(folder)}: no such folder`);
    return [];
  }
  return names
    .map((name) => ({ name, step: stepOfCheckpoint(name) }))
    .filter(({ step }) => step >= 0)
    .sort((a, b) => b.step - a.step)
    .map(({ name }) => join(folder, name));
}

/**
 * The newest checkpoint that verifies.
 *
 * @param onInvalid told of every newer one that does not, once one does
 * @throws GanglionError `checkpoint` when none does
 */
export function newestCheckpoint(folder: string, onInvalid: (message: string) => void): Checkpoint {
  const invalid: string[] = [];
  for (const path of listCheckpoints(folder)) {
    try {
      const checkpoint = readCheckpoint(path);
      for (const message of invalid) onInvalid(message);
      return checkpoint;
    } catch (error) {
      if (!(error instanceof GanglionError)) throw error;
      invalid.push(messageOf(error));
    }
  }
  const got = invalid.length === 0 ? 'no checkpoint' : `${invalid.length} invalid; the newest: ${invalid[0]}`;
  throw new GanglionError('checkpoint', `${folder}: expected a valid checkpoint, got ${got}`);
}
