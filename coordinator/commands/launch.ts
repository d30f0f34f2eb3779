// `ganglion launch`: starts the nodes of a training by mpirun, turns signals into an agreed stop, and starts the job once more when a
// machine is lost.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { GanglionError } from '../../shared/error.ts';
import { EXIT_CODES } from '../../shared/exit-codes.ts';
import { printLine } from '../../shared/print.ts';
import { show } from '../../shared/printable.ts';
import { exitCodeOf, type StopSignal } from '../../shared/stop-signals.ts';
import { requireMpi } from '../machine/mpi.ts';
import { JOB, LAUNCH, rankOf } from '../machine/rank.ts';
import { answeringHosts } from './answering-hosts.ts';
import { countPlaces, type Host, parseHosts, showHosts } from './hosts.ts';
import { MpiJob } from './mpi-job.ts';
import { type MpirunRequest, toMpirunLine, toShellLine } from './mpirun-line.ts';
import type { RankRecord } from './rank-records.ts';
import type { Signals } from './signals.ts';
import { exitCodeOfStop } from './stop-signals.ts';

export interface LaunchRequest {
  /** Undefined is as many as `hosts` has room for. */
  readonly nodes: number | undefined;
  /** `a,b:2`; undefined is this machine, or what a scheduler has given. */
  readonly hosts: string | undefined;
  readonly dryRun: boolean;
  /** `train` and its flags, which have been checked. */
  readonly command: readonly string[];
  /** Whether that begins a run or goes on with it. */
  readonly goesOn: boolean;
  readonly signals: Signals;
}

/** What ranks have told of themselves. */
interface Told {
  /** Folder of the run, once it has begun. */
  run: string | undefined;
  /** Whether a signal to a rank has stopped it. */
  isStopped: boolean;
  /** Exit codes by rank. */
  readonly exitCodes: Map<number, number>;
}

/** What every rank runs; other machines have it in the same folder. */
const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/** Nodes whose program does not end when node 0 has: they have this long. */
const LEAVE_MS = 20_000;

/** Runs the command. @throws GanglionError */
export async function launchCommand(request: LaunchRequest): Promise<void> {
  if (rankOf() !== undefined) {
    throw new GanglionError(
      'usage',
      'launch: this process was started by mpirun already; expected train in place of launch',
    );
  }
  const { nodes, hosts } = chooseNodes(request);
  const mpi = await findMpirun();
  const lineOf = (places: Pick<MpirunRequest, 'nodes' | 'hosts'>, command: readonly string[]) =>
    toMpirunLine({
      ...{ mpi, ...places, env: process.env, user: process.getuid?.() },
      rank: [process.execPath, MAIN, ...command],
    });
  if (request.dryRun) {
    const { file, args, added } = lineOf({ nodes, hosts }, request.command);
    const variables = Object.entries({ ...added, [LAUNCH]: launchMode() }).map(([name, value]) => `${name}=${value}`);
    printLine(process.stdout, toShellLine(['env', ...variables, file, ...args]));
    return;
  }
  const launch = new Launch(request);
  let told = await launch.run(lineOf({ nodes, hosts }, request.command));
  const isLost = launch.isLost(told);
  const left = hosts && (isLost || launch.mayBeCutOff(told)) ? await answeringHosts(hosts, process.env) : hosts;
  if (!launch.isStopped && (isLost || left?.length !== hosts?.length) && told.run !== undefined) {
    if (left && hosts) checkLeft(left, hosts, told.run);
    const count = left ? Math.min(nodes, countPlaces(left)) : nodes;
    const where = left ? ` on ${showHosts(left)}` : '';
    const what = isLost ? 'a node was lost with its mpirun' : 'a machine does not answer';
    printLine(process.stderr, `ganglion: ${what}; going on with ${count} of ${nodes} nodes${where}`);
    const again = [...request.command, '--run', told.run, '--resume', 'auto'];
    const second = await launch.run(lineOf({ nodes: count, hosts: left }, again));
    told = { ...second, run: second.run ?? told.run };
  }
  process.exitCode = launch.exitCodeOf(told);
}

/** @throws GanglionError `environment` where nobody is left, or nobody who has the run: the others would begin it again */
function checkLeft(left: readonly Host[], hosts: readonly Host[], run: string): void {
  if (left.length === 0) throw new GanglionError('environment', `launch: none of ${showHosts(hosts)} answers`);
  const [first] = hosts;
  if (first === left[0] || existsSync(run)) return;
  const message = `launch: ${first?.name} does not answer, where ${run} was written; go on with --resume where it is`;
  throw new GanglionError('environment', message);
}

function chooseNodes({ nodes, hosts: list }: LaunchRequest): { nodes: number; hosts: readonly Host[] | undefined } {
  if (list === undefined) {
    if (nodes === undefined)
      throw new GanglionError('usage', 'launch: expected the number of nodes, as in launch -n 4 train');
    return { nodes, hosts: undefined };
  }
  const hosts = parseHosts(list);
  const places = countPlaces(hosts);
  if (nodes !== undefined && nodes > places) {
    throw new GanglionError(
      'usage',
      `-n ${nodes}: expected at most ${places}, the nodes of --hosts ${showHosts(hosts)}`,
    );
  }
  return { nodes: nodes ?? places, hosts };
}

/** @throws GanglionError `usage` where there is no mpirun of Open MPI 4 or 5 */
async function findMpirun(): Promise<MpirunRequest['mpi']> {
  const mpi = await requireMpi();
  const advice = 'run: ganglion setup --mpi';
  if (mpi === undefined) throw new GanglionError('usage', `launch: there is no Open MPI on this machine; ${advice}`);
  const { mpirun } = mpi;
  if (mpirun === undefined) {
    throw new GanglionError(
      'usage',
      `launch: expected mpirun beside ${mpi.library} or on the PATH, got none; ${advice}`,
    );
  }
  const said = await promisify(execFile)(mpirun, ['--version']).then(
    ({ stdout }) => stdout,
    (error: unknown) => String(error),
  );
  const version = /\((?:Open MPI|OpenRTE)\) (\d+)\./.exec(said)?.[1];
  if (version !== '4' && version !== '5') {
    const [first = ''] = said.split('\n');
    throw new GanglionError('usage', `launch: expected Open MPI 4 or 5 of ${mpirun}, got ${show(first)}; ${advice}`);
  }
  return { ...mpi, mpirun, major: version === '4' ? 4 : 5 };
}

function launchMode(): string {
  return process.stdout.isTTY ? 'terminal' : 'plain';
}

/** One or two jobs, and the signals meanwhile. */
class Launch {
  readonly #request: LaunchRequest;
  #asked: StopSignal | undefined;
  #aborted = false;
  readonly #name = randomUUID();
  #starts = 0;
  #job: MpiJob | undefined;

  constructor(request: LaunchRequest) {
    this.#request = request;
    request.signals.take((signal) => {
      if (this.#asked === undefined) {
        this.#asked = signal;
        this.#job?.stop();
      } else if (signal === 'SIGINT') {
        this.#aborted = true;
        void this.#job?.abort();
      }
    });
  }

  /** Runs a job to its end. */
  async run(line: ReturnType<typeof toMpirunLine>): Promise<Told> {
    const told: Told = { run: undefined, isStopped: false, exitCodes: new Map() };
    if (this.#asked !== undefined) return told;
    let leaving: NodeJS.Timeout | undefined;
    const onRecord = (record: RankRecord): void => {
      if (record.kind === 'begun') {
        told.run = record.run;
        if (this.#asked !== undefined) job.stop(); // it may have come before the ranks could take it
      } else if (record.kind === 'stopped') told.isStopped = true;
      else told.exitCodes.set(record.rank, record.exitCode);
      if (told.exitCodes.has(0)) leaving ??= setTimeout(() => void this.#job?.abort(), LEAVE_MS);
    };
    this.#starts += 1;
    const env = { ...process.env, [LAUNCH]: launchMode(), [JOB]: `${this.#name}/${this.#starts}` };
    const job = new MpiJob(line, env, onRecord);
    this.#job = job;
    try {
      const { exitCode, signal } = await job.ended;
      if (told.exitCodes.size === 0 && told.run === undefined && this.#asked === undefined) {
        const how = signal === null ? `exit code ${exitCode}` : signal;
        throw new GanglionError(
          'environment',
          `launch: mpirun ended before the training began (${how}); it has said why`,
        );
      }
      return told;
    } finally {
      clearTimeout(leaving);
      this.#job = undefined;
    }
  }

  /** Whether a signal has asked for the end. */
  get isStopped(): boolean {
    return this.#asked !== undefined;
  }

  /** Whether a job has ended without a word of node 0, or of those that went on without it. */
  isLost({ exitCodes }: Told): boolean {
    return this.#asked === undefined && judge(exitCodes) === undefined;
  }

  /** Whether node 0 has ended as it does without others, and for no stop that a node was asked for. */
  mayBeCutOff({ exitCodes, isStopped }: Told): boolean {
    return this.#asked === undefined && !isStopped && exitCodes.get(0) === EXIT_CODES.goOn;
  }

  exitCodeOf(told: Told): number {
    if (this.#aborted) return exitCodeOf('SIGINT');
    const exitCode = judge(told.exitCodes);
    if (this.#asked === undefined) {
      if (exitCode !== undefined) return exitCode;
      throw new GanglionError(
        'environment',
        `launch: the nodes ended without a word; go on with --resume ${told.run ?? 'DIR'}`,
      );
    }
    const hasBegun = told.run !== undefined;
    const stopped = exitCodeOfStop(this.#asked, { hasBegun, goesOn: this.#request.goesOn });
    if (exitCode === undefined && hasBegun) return EXIT_CODES.machine;
    return exitCode === undefined || exitCode === EXIT_CODES.goOn ? stopped : exitCode;
  }
}

/** The exit code of node 0; without that, the one of the lowest node if it has come to a good end without node 0. */
function judge(exitCodes: ReadonlyMap<number, number>): number | undefined {
  const [, exitCode] = [...exitCodes].toSorted(([a], [b]) => a - b)[0] ?? [];
  const isGood = exitCode === EXIT_CODES.done || exitCode === EXIT_CODES.goOn;
  return exitCodes.has(0) || isGood ? exitCode : undefined;
}
