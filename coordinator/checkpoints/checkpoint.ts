// A checkpoint: all of the state in one safetensors file that PyTorch can open, with a SHA-256 over the tensors in its metadata.
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsFile,
  type StoredTensor,
} from '../../shared/safetensors.ts';
import { fromSystemError, writeFileAtomicSync } from '../files/atomic-file.ts';
import { readRegularSync } from '../files/regular-file.ts';
import { emptyState, NETS, type TrainingState } from '../training/state.ts';
import { describeImpossible } from './state-limits.ts';
import { fillState, isAveraged, toAverageTensors, toTensors } from './state-tensors.ts';
import { storedModel } from './stored-model.ts';

const FORMAT = 'ganglion-1';
/** Most bytes of a file: more than those of the largest model, of 1024 channels and 4096 latent values. */
const MOST_BYTES = 2 ** 31 - 1;
const FILE_NAME = /^step-(\d{8,})\.safetensors$/;

type Metadata = SafetensorsFile['metadata'];

/** A checkpoint as read, verified. */
export interface Checkpoint {
  readonly path: string;
  readonly state: TrainingState;
  readonly stateSha256: string;
  /** Of the averaged generator; null where there is none. */
  readonly emaSha256: string | null;
  /** The run's config as JSON. */
  readonly config: string;
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

/** Identity of the averaged generator; null where the state has none. */
export function emaSha256(state: TrainingState): string | null {
  return state.average ? sha256OfTensors(toAverageTensors(state)) : null;
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
  const averaged = toAverageTensors(state);
  const ema = state.average ? { emaSha256: sha256OfTensors(averaged) } : {};
  const hashes = { configSha256: sha256OfText(config), stateSha256: sha256, ...ema };
  const metadata = { format: FORMAT, config, ...hashes, ...toCounters(state) };
  const file = encodeSafetensors({ metadata, tensors: new Map([...tensors, ...averaged]) });
  writeFileAtomicSync(path, file);
  return { bytes: file.length, sha256 };
}

const Counters = z.object({ skippedInARow: z.object({ generator: z.int().min(0), discriminator: z.int().min(0) }) });

/** What decides how a run ends and is no part of the state's hash; what is 0 is left out, as older files leave it out. */
function toCounters({ generator, discriminator }: TrainingState): Metadata {
  const skippedInARow = { generator: generator.skippedInARow, discriminator: discriminator.skippedInARow };
  if (skippedInARow.generator === 0 && skippedInARow.discriminator === 0) return {};
  const counters = JSON.stringify({ skippedInARow } satisfies z.infer<typeof Counters>);
  return { counters, countersSha256: sha256OfText(counters) };
}

/** @throws GanglionError `checkpoint` when they were altered */
function fillCounters(state: TrainingState, { counters, countersSha256 }: Metadata, path: string): void {
  if (counters === undefined && countersSha256 === undefined) return;
  try {
    if (counters === undefined || countersSha256 !== sha256OfText(counters)) throw new Error('another hash');
    const { skippedInARow } = Counters.parse(JSON.parse(counters));
    for (const net of NETS) state[net].skippedInARow = skippedInARow[net];
  } catch (cause) {
    const message = `${path}: altered: its counters do not have the SHA-256 stored with them`;
    throw new GanglionError('checkpoint', message, { cause });
  }
}

/**
 * Reads and verifies a checkpoint.
 *
 * @param model whose state it is, by the tensors of the file
 * @throws GanglionError `checkpoint` when it is truncated, altered or not a checkpoint
 */
export function readCheckpoint(path: string, model = storedModel): Checkpoint {
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
  const part = (averaged: boolean) => new Map([...tensors].filter(([name]) => isAveraged(name) === averaged));
  const sha256 = sha256OfTensors(part(false));
  if (sha256 !== expected) {
    throw new GanglionError('checkpoint', `${path}: altered: expected SHA-256 ${expected}, got ${sha256}`);
  }
  const { emaSha256 = null } = metadata;
  const averaged = part(true);
  if (emaSha256 !== (averaged.size === 0 ? null : sha256OfTensors(averaged))) {
    throw new GanglionError(
      'checkpoint',
      `${path}: altered: its averaged generator does not have the SHA-256 stored with it`,
    );
  }
  const state = emptyState(model(tensors), emaSha256 !== null);
  fillState(state, tensors, path);
  fillCounters(state, metadata, path);
  const impossible = describeImpossible(state);
  if (impossible !== undefined) throw new GanglionError('checkpoint', `${path}: ${impossible}`);
  const named = stepOfCheckpoint(path);
  if (named >= 0 && named !== state.step) {
    throw new GanglionError(
      'checkpoint',
      `${path}: expected the state of step ${named}, as its name says, got ${state.step}`,
    );
  }
  return { path, state, stateSha256: sha256, emaSha256, config };
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

/** Invalid checkpoints that are named. */
const MOST_NAMED = 3;
/** How often the list may change under who reads it, by a run that removes old checkpoints. */
const ATTEMPTS = 10;

/**
 * The newest checkpoint that verifies. While a run writes new ones and removes old ones, it is one of those that were there.
 *
 * @param onInvalid told of newer ones that do not, once one does: of three one by one, of more by their number
 * @param read reads one
 * @throws GanglionError `checkpoint` when none does
 */
export function newestCheckpoint(
  folder: string,
  onInvalid: (message: string) => void,
  read: (path: string) => Checkpoint = readCheckpoint,
): Checkpoint {
  let invalid: string[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    invalid = [];
    let isGone = false;
    for (const path of listCheckpoints(folder)) {
      try {
        const checkpoint = read(path);
        for (const message of invalid.slice(0, MOST_NAMED)) onInvalid(message);
        const others = invalid.length - MOST_NAMED;
        if (others > 0) onInvalid(`${others} more checkpoints before that are invalid`);
        return checkpoint;
      } catch (error) {
        if (!(error instanceof GanglionError)) throw error;
        isGone ||= isRemoved(path);
        invalid.push(messageOf(error));
      }
    }
    if (!isGone) break; // else newer ones are there by now
  }
  const got = invalid.length === 0 ? 'no checkpoint' : `${invalid.length} invalid; the newest: ${invalid[0]}`;
  throw new GanglionError('checkpoint', `${folder}: expected a valid checkpoint, got ${got}`);
}

/** Whether a checkpoint that was listed is no longer there. */
export function isRemoved(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) === undefined;
}
