// `ganglion inspect`: verifies a checkpoint, or all checkpoints of a run, and prints what is in it.
import { type Stats, statSync } from 'node:fs';
import { basename } from 'node:path';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { printLine } from '../../shared/print.ts';
import { toJson } from '../../shared/printable.ts';
import { type Checkpoint, isRemoved, listCheckpoints, readCheckpoint } from '../checkpoints/checkpoint.ts';
import { toAverageTensors, toTensors } from '../checkpoints/state-tensors.ts';
import { fromSystemError } from '../files/atomic-file.ts';
import { storedConfig } from '../run-folder/run-config.ts';
import { runFolderAt } from '../run-folder/run-folder.ts';
import { readSummary } from '../run-folder/summary.ts';

/** Runs the command. @throws GanglionError `checkpoint` when the file, or any file of the run, is invalid */
export function inspectCommand(path: string): void {
  const stats = statOf(path);
  if (!stats)
    throw new GanglionError('checkpoint', `${path}: expected a checkpoint or a run folder, got nothing there`);
  if (stats.isDirectory()) inspectRun(path);
  else print(describe(readCheckpoint(path)));
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw fromSystemError(`cannot read ${path}`, error, 'checkpoint');
  }
}

function print(lines: readonly string[]): void {
  for (const line of lines) printLine(process.stdout, line);
}

function describe(checkpoint: Checkpoint): string[] {
  const { path, state, stateSha256, emaSha256 } = checkpoint;
  const tensors = new Map([...toTensors(state), ...toAverageTensors(state)]);
  const config = storedConfig(checkpoint);
  const rows = [...tensors]
    .filter(([name]) => !name.startsWith('adam.'))
    .map(([name, { dtype, shape }]) => `  ${name.padEnd(46)} ${dtype} [${shape.join(', ')}]`);
  const settings = Object.entries(config).map(([name, value]) => `  ${name.padEnd(17)}${value}`);
  return [
    `${path}: valid`,
    `step            ${state.step}`,
    `state SHA-256   ${stateSha256}`,
    ...(emaSha256 === null ? [] : [`average SHA-256 ${emaSha256}`]),
    `parameters      generator ${state.generator.layout.parameterCount}, discriminator ${state.discriminator.layout.parameterCount}`,
    'config',
    ...settings,
    `tensors (and ${tensors.size - rows.length} of Adam)`,
    ...rows,
  ];
}

function inspectRun(path: string): void {
  const folder = runFolderAt(path);
  const files = listCheckpoints(folder.checkpoints);
  if (files.length === 0) throw new GanglionError('checkpoint', `${path}: expected a run with checkpoints, got none`);
  const checkpoints = files.flatMap((file) => {
    try {
      return readCheckpoint(file);
    } catch (error) {
      if (!(error instanceof GanglionError)) throw error;
      return isRemoved(file) ? [] : messageOf(error); // by a run that trains, and keeps the newest
    }
  });
  const newest = checkpoints.find((checkpoint) => typeof checkpoint !== 'string');
  const list = checkpoints.map((checkpoint) =>
    typeof checkpoint === 'string'
      ? `  INVALID ${checkpoint}`
      : `  ${basename(checkpoint.path)}  ${checkpoint.stateSha256}`,
  );
  print([`checkpoints of ${path}`, ...list]);
  const summary = readSummary(folder);
  if (summary) print(['summary', ...toJson(summary, 2).split('\n')]);
  if (newest === undefined || typeof newest === 'string') {
    throw new GanglionError('checkpoint', `${path}: none of ${files.length} checkpoints is valid`);
  }
  print(describe(newest));
  const invalid = checkpoints.filter((checkpoint) => typeof checkpoint === 'string').length;
  if (invalid > 0) throw new GanglionError('checkpoint', `${path}: ${invalid} of ${files.length} checkpoints invalid`);
}
