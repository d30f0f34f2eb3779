// `ganglion train`: from flags, config file and an earlier run to a complete config; then runs it.
import { dirname, resolve } from 'node:path';
import { GanglionError } from '../../shared/error.ts';
import { EXIT_CODES } from '../../shared/exit-codes.ts';
import { printJson, printLine } from '../../shared/print.ts';
import type { StopSignal } from '../../shared/stop-signals.ts';
import { fromSystemError } from '../files/atomic-file.ts';
import { parseJson } from '../files/json-text.ts';
import { MOST_TEXT_BYTES, readRegularSync } from '../files/regular-file.ts';
import { quietProgram } from '../library/quiet-program.ts';
import { DrivenTraining, type TrainingHost, type TrainingRequest } from '../library/training.ts';
import { createReadingProgress } from '../monitoring/reading.ts';
import { createTerminal, type Terminal } from '../monitoring/terminal.ts';
import { prefixOf } from '../nodes/join-nodes.ts';
import { checkFirst, together } from '../nodes/messages.ts';
import { isFirst } from '../run/agreement.ts';
import { AUTO, type PlanRequest, planRun } from '../run/plan-run.ts';
import type { Programs } from '../run/programs.ts';
import { resolveDevices } from '../run/resolve-devices.ts';
import type { RunPlan } from '../run/run-plan.ts';
import type { StopSwitch } from '../run/stop.ts';
import { storedParts } from '../run-folder/run-config.ts';
import { newRunPath } from '../run-folder/run-folder.ts';
import { fromConfigObject, mergeSettings } from '../settings/settings.ts';
import type { Settings } from '../settings/settings-table.ts';
import type { Communicator } from '../training/communicator.ts';
import { tellLaunch } from './rank-records.ts';
import type { Signals } from './signals.ts';
import { exitCodeOfStop } from './stop-signals.ts';
import { AlreadyReported, chooseDevices } from './worker-programs.ts';

export interface TrainRequest {
  /** Settings given as flags. @throws GanglionError */
  readonly flags: () => Partial<Settings>;
  /** Settings given by the environment; flags win over them, and they win over the config file. @throws GanglionError */
  readonly environment: () => Partial<Settings>;
  readonly configFile: string | undefined;
  /** Folder of a run to resume, or {@link AUTO}. */
  readonly resume: string | undefined;
  readonly dryRun: boolean;
  /** File of a profile of some steps of this process. */
  readonly profile: RunPlan['profile'];
  readonly programs: Programs;
  readonly nodes: Communicator;
  readonly signals: Signals;
  readonly stop: StopSwitch;
  /** The signal that has asked for the stop, if one did. */
  readonly stoppedBy: () => StopSignal | undefined;
}

/** Runs the command. @throws GanglionError */
export async function trainCommand(request: TrainRequest): Promise<void> {
  const { nodes } = request;
  const [first] = nodes.members;
  const planned = await together(nodes, async () => readRequest(request));
  checkFirst(nodes, first); // it alone has read the config file
  const onNotice = (message: string): void => printLine(process.stderr, `ganglion: ${prefixOf(nodes)}${message}`);
  if (request.dryRun) {
    await together(nodes, async () => {
      if (!isFirst(nodes)) return;
      const { config, totalSteps } = await planRun({ ...planned, onNotice });
      printJson(process.stdout, { ...config, totalSteps }, 2);
    });
    checkFirst(nodes, first);
    return;
  }
  await trainOnTerminal(planned, request, onNotice);
}

/** @throws GanglionError for what was given and cannot be */
function readRequest({ flags: given, environment, configFile, resume, profile, nodes }: TrainRequest) {
  const flags = given();
  const resumes: PlanRequest['resumes'] = resume === AUTO ? AUTO : resume !== undefined;
  const isRead = configFile !== undefined && isFirst(nodes); // which tells the others
  const file = isRead ? readConfigFile(configFile, resumes === true) : {};
  if (resume !== undefined && resume !== AUTO) {
    checkSameFolder(resume, flags.run, '--run');
    checkSameFolder(resume, file.run, `${configFile}: run`);
  }
  const path = resolve(pathOfRun(resume, mergeSettings(file, flags)));
  return { layers: [file, environment(), flags], path, resumes, profile };
}

/** Trains with this process's terminal and signals. */
async function trainOnTerminal(
  planned: TrainingRequest,
  { programs, nodes, signals, stop, stoppedBy }: TrainRequest,
  onNotice: (message: string) => void,
): Promise<void> {
  let shown: Terminal | undefined;
  const terminal: TrainingHost['terminal'] = (run) => {
    if (planned.path !== null) tellLaunch({ kind: 'begun', run: planned.path });
    shown = createTerminal(process.stdout, run);
    return shown;
  };
  // Of several nodes, the first one says what another cannot.
  const choose: TrainingHost['chooseDevices'] = (settings) =>
    nodes.members.length === 1
      ? chooseDevices(settings, signals)
      : resolveDevices(settings, programs, quietProgram(onNotice));
  const reading = createReadingProgress(process.stdout);
  const onReading: TrainingHost['onReading'] = (done, total) => {
    reading.show(done, total);
    if (done === total) reading.finish();
  };
  const host = { programs, nodes, stop, chooseDevices: choose, terminal, onNotice, onReading };
  const training = new DrivenTraining(planned, host);
  try {
    for await (const _ of training);
  } catch (error) {
    // The program that looks for a backend has had the signal, too.
    if (stoppedBy() === undefined || !(error instanceof AlreadyReported)) throw error;
  } finally {
    reading.finish();
    shown?.finish();
  }
  const signal = stoppedBy();
  const { hasBegun, isFinished } = training;
  if (isFinished) return;
  if (signal === undefined) {
    // Another node was asked for the stop, and knows by what.
    if (hasBegun && isFirst(nodes) && !stop.requested) process.exitCode = EXIT_CODES.goOn;
    return;
  }
  tellLaunch({ kind: 'stopped' });
  if (!hasBegun) onNotice(`${signal}: ended before the run began`);
  process.exitCode = exitCodeOfStop(signal, { hasBegun, goesOn: planned.resumes === AUTO });
}

function pathOfRun(resume: string | undefined, { run, seed }: Settings): string {
  if (resume !== undefined && resume !== AUTO) return resume;
  if (resume === AUTO && run === null) {
    throw new GanglionError('usage', `--resume ${AUTO}: expected the run's folder (--run DIR) with it`);
  }
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
