// A run is a folder, of which docs/run-folder.md has every file. Files are written whole or not at all.
import { accessSync, constants, existsSync, readdirSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { GanglionError, systemErrorCode } from '../../shared/error.ts';
import { toJson } from '../../shared/printable.ts';
import { listCheckpoints } from '../checkpoints/checkpoint.ts';
import { fromSystemError, removeFileSync, writeFileAtomicSync } from '../files/atomic-file.ts';
import { makeFolder } from '../files/make-folder.ts';
import { checkOwned } from '../files/owned-folders.ts';
import { isRegular } from '../files/regular-file.ts';
import { LOCK_FILE } from '../files/run-lock.ts';
import { removeLeftTemporaries } from '../files/temporary-file.ts';
import { ANIMATION } from './pictures.ts';

/** Paths of a run. */
export interface RunFolder {
  readonly path: string;
  readonly config: string;
  readonly metrics: string;
  /** What happened, one JSON object a line: see events.ts. */
  readonly events: string;
  /** How good the samples were: see evaluation-log.ts. */
  readonly evaluations: string;
  readonly checkpoints: string;
  readonly samples: string;
  readonly summary: string;
  readonly report: string;
  /** Where nodes serve their metrics: see targets-file.ts. */
  readonly targets: string;
}

export function runFolderAt(path: string): RunFolder {
  return {
    path,
    config: join(path, 'config.json'),
    metrics: join(path, 'metrics.jsonl'),
    events: join(path, 'events.jsonl'),
    evaluations: join(path, 'evaluations.jsonl'),
    checkpoints: join(path, 'checkpoints'),
    samples: join(path, 'samples'),
    summary: join(path, 'summary.json'),
    report: join(path, 'report.html'),
    targets: join(path, 'targets.json'),
  };
}

/** A new folder's path under runs/: `runs/2026-11-23T04-28-25-seed7`. */
export function newRunPath(now: Date, seed: number): string {
  return join('runs', `${now.toISOString().slice(0, 19).replaceAll(':', '-')}-seed${seed}`);
}

const TEMPORARY = /^\..+\.tmp$/;
/** As versions before 0.2 named them, without their process. */
const OLD_TEMPORARY = /^\..+\.[0-9a-f]{1,8}\.tmp$/;

/**
 * Checks that a new run can begin in a folder: one that can be made or is empty, or one where a run has ended before its first
 * checkpoint, by a full disk or a kill. Changes nothing.
 *
 * @throws GanglionError `usage` when the folder holds something else, `environment` when it cannot be made
 */
export function checkNewRunFolder(path: string): void {
  const run = runFolderAt(resolve(path));
  let entries: string[] = [];
  try {
    entries = readdirSync(run.path).filter((name) => name !== LOCK_FILE);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw fromSystemError(`cannot use ${path} as run folder`, error);
  }
  if (entries.length > 0 && !isUnbegun(run, entries)) {
    throw new GanglionError(
      'usage',
      `--run ${path}: expected a new or empty folder, got ${entries.length} entries; resume with --resume ${path}`,
    );
  }
  try {
    accessSync(nearestExisting(run.path), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw fromSystemError(`cannot make run folder ${run.path}`, error);
  }
}

/** Whether a run ended in this folder before it could be resumed: there is nothing but what is made first. */
function isUnbegun(run: RunFolder, entries: readonly string[]): boolean {
  const made = [run.checkpoints, run.samples, run.config, run.metrics, run.events, run.evaluations, run.targets].map(
    (path) => basename(path),
  );
  return (
    entries.includes(basename(run.checkpoints)) &&
    entries.every((name) => made.includes(name) || TEMPORARY.test(name)) &&
    listCheckpoints(run.checkpoints).length === 0 &&
    !hasSteps(run)
  );
}

/** Checks that a folder is a run's. @throws GanglionError `usage` */
export function checkIsRun(path: string): void {
  if (existsSync(runFolderAt(path).config)) return;
  throw new GanglionError('usage', `${path}: expected the folder of a run, got none with a config.json`);
}

/** Whether its log has any: somebody may have removed its checkpoints. */
function hasSteps({ metrics }: RunFolder): boolean {
  return (statSync(metrics, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}

/** Makes the folders of a new run. @throws GanglionError as `checkNewRunFolder`. */
export function createRunFolder(path: string): RunFolder {
  checkNewRunFolder(path);
  const run = runFolderAt(resolve(path));
  makeFolders(run);
  return run;
}

/** Makes missing folders of a run. @throws GanglionError `environment`. */
export function makeFolders(run: RunFolder): void {
  try {
    makeFolder(run.checkpoints);
    makeFolder(run.samples);
  } catch (error) {
    throw fromSystemError(`cannot make run folder ${run.path}`, error);
  }
}

/** Removes what a killed process left half-written; the lock of the run is held. @throws GanglionError `environment`. */
export function removeTemporaries(run: RunFolder): void {
  try {
    for (const folder of [run.path, run.checkpoints, run.samples]) {
      // `ganglion report` writes these beside a run.
      removeLeftTemporaries(folder, (name) => name !== basename(run.report) && name !== ANIMATION);
      const entries = readdirSync(folder, { withFileTypes: true });
      const old = entries.filter((entry) => entry.isFile() && OLD_TEMPORARY.test(entry.name));
      for (const { name } of old) removeFileSync(join(folder, name));
    }
  } catch (error) {
    throw fromSystemError(`cannot clear ${run.path}`, error);
  }
}

/** The checkpoint or the grid of a step. */
const OF_STEP = /^step-(\d{8,15})\.(safetensors|png)$/;

/**
 * Renames what is no file but has the name of a checkpoint or grid still to be written, to `<name>.odd`, or `.odd2` ... where that is
 * taken: the run would end where it comes to that step.
 *
 * @param step of the state that training goes on from
 * @throws GanglionError `environment`
 */
export function setOddAside(run: RunFolder, step: number): void {
  for (const folder of [run.checkpoints, run.samples]) {
    const names = readdirSync(folder);
    for (const name of names) {
      const at = Number(OF_STEP.exec(name)?.[1] ?? -1);
      if (at < step || isRegular(join(folder, name))) continue;
      let aside = `${name}.odd`;
      for (let number = 2; names.includes(aside); number++) aside = `${name}.odd${number}`;
      try {
        checkOwned(run.path);
        renameSync(join(folder, name), join(folder, aside));
      } catch (error) {
        throw fromSystemError(`cannot rename ${join(folder, name)}`, error);
      }
    }
  }
}

/** Removes summary, report and targets, which are there only while they hold. @throws GanglionError `environment`. */
export function removeSummary(run: RunFolder): void {
  for (const path of [run.summary, run.report, run.targets]) removeFileSync(path);
}

/** Writes an object as readable JSON. */
export function writeJson(path: string, value: unknown): void {
  writeFileAtomicSync(path, Buffer.from(`${toJson(value, 2)}\n`));
}
