// `ganglion train`: from flags, config file and an earlier run to a complete config; then runs it.
import { dirname, resolve } from 'node:path';
import { GanglionError } from '../../shared/error.ts';
import { printJson, printLine } from '../../shared/print.ts';
import { fromSystemError } from '../files/atomic-file.ts';
import { parseJson } from '../files/json-text.ts';
import { MOST_TEXT_BYTES, readRegularSync } from '../files/regular-file.ts';
import { DrivenTraining, type TrainingHost, type TrainingRequest } from '../library/training.ts';
import { createTerminal, type Terminal } from '../monitoring/terminal.ts';
import { planRun } from '../run/plan-run.ts';
import type { Programs } from '../run/programs.ts';
import type { RunPlan } from '../run/run-plan.ts';
import { StopSwitch } from '../run/stop.ts';
import { storedParts } from '../run-folder/run-config.ts';
import { newRunPath } from '../run-folder/run-folder.ts';
import { fromConfigObject, mergeSettings } from '../settings/settings.ts';
import type { Settings } from '../settings/settings-table.ts';
import { listenToSignals } from './stop-signals.ts';
import { chooseBackend } from './worker-programs.ts';

export interface TrainRequest {
  /** Settings given as flags. */
  readonly flags: Partial<Settings>;
  /** Settings given by the environment; flags win over them, and they win over the config file. */
  readonly environment: Partial<Settings>;
  readonly configFile: string | undefined;
  /** Folder of a run to resume. */
  readonly resume: string | undefined;
  readonly dryRun: boolean;
  /** File of a profile of some steps of this process. */
  readonly profile: RunPlan['profile'];
  readonly programs: Programs;
}

/** Runs the command. @throws GanglionError */
export async function trainCommand(request: TrainRequest): Promise<void> {
  const { flags, environment, configFile, resume, profile } = request;
  const resumes = resume !== undefined;
  const file = configFile === undefined ? {} : readConfigFile(configFile, resumes);
  if (resumes) {
    checkSameFolder(resume, flags.run, '--run');
    checkSameFolder(resume, file.run, `${configFile}: run`);
  }
  const path = resolve(resume ?? pathOfNewRun(mergeSettings(file, flags)));
  const onNotice = (message: string): void => printLine(process.stderr, `ganglion: ${message}`);
  const planned = { layers: [file, environment, flags], path, resumes, profile };
  if (request.dryRun) {
    const { config, totalSteps } = planRun({ ...planned, onNotice });
    printJson(process.stdout, { ...config, totalSteps }, 2);
    return;
  }
  await trainOnTerminal(planned, request.programs, onNotice);
}

/** Trains with this process's terminal and signals. */
async function trainOnTerminal(
  request: TrainingRequest,
  programs: Programs,
  onNotice: (message: string) => void,
): Promise<void> {
  const stop = new StopSwitch();
  let ignoreSignals = (): void => {};
  let shown: Terminal | undefined;
  const terminal: TrainingHost['terminal'] = (run) => {
    ignoreSignals = listenToSignals(stop); // before, a program that sets the backend up has them
    shown = createTerminal(process.stdout, run);
    return shown;
  };
  try {
    for await (const _ of new DrivenTraining(request, { programs, stop, chooseBackend, terminal, onNotice }));
  } finally {
    shown?.finish();
    ignoreSignals();
  }
}

function pathOfNewRun({ run, seed }: Settings): string {
  return run ?? newRunPath(new Date(), seed);
}

/** @param resumes whether the settings are for a run to resume */
function readConfigFile(path: string, resumes: boolean): Partial<Settings> {
  let bytes: Buffer;
  try {
    bytes = readRegularSync(path, MOST_TEXT_BYTES);
  } catch (error) {
    throw fromSystemError(`cannot read config file ${path}`, error, 'config');
  }
  const value = parseJson(bytes, path, 'config');
  if (!isStoredConfig(value)) return fromConfigObject(value, path);
  // config.json of a run names the run's own folder and data: a new run with its settings gets a folder of its own, and no faults.
  const { settings: stored } = storedParts(value, path, dirname(path));
  const { run, fault: _, ...settings } = fromConfigObject(stored, path);
  return resumes && run !== undefined ? { ...settings, run } : settings;
}

function isStoredConfig(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && 'dataName' in value && 'dataSha256' in value;
}

/** @param source what names `run` in the message */
function checkSameFolder(resume: string, run: string | null | undefined, source: string): void {
  if (run != null && resolve(run) !== resolve(resume)) {
    throw new GanglionError(
      'usage',
      `--resume ${resume} resumes the run in that folder; ${source} ${run} names another`,
    );
  }
}
