// mpirun and its ranks, under way: a process group of its own, so that a terminal's Ctrl-C does not reach it, and mpirun's way to end a job
// within a tenth of a second is not taken.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { passOn } from '../../shared/print.ts';
import { processesOfSession } from '../machine/session.ts';
import { type RankRecord, RecordReader } from './rank-records.ts';

/** The signal that mpirun hands to every rank: a stop with a checkpoint. */
const STOP = 'SIGUSR2';
/** Within this time mpirun ends its ranks, here and on other machines. */
const ABORT_MS = 3_000;
/** What mpirun has printed comes within this time of its end, whoever holds its output open. */
const OUTPUT_MS = 2_000;
/** util-linux: the kernel sends the stop when the launcher dies without a word. */
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find(
  (path) => existsSync(path) && basename(realpathSync(path)) === 'setpriv', // that of busybox has no such option
);

export interface MpiJobLine {
  readonly file: string;
  readonly args: readonly string[];
  readonly added: Readonly<Record<string, string>>;
}

/** How mpirun ended. */
export interface JobEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class MpiJob {
  readonly #child: ChildProcess;
  /** Resolves when mpirun has ended, and all that it has printed is passed on. @throws Node's error when it cannot be started */
  readonly ended: Promise<JobEnd>;

  /** @param onRecord receives what ranks tell */
  constructor({ file, args, added }: MpiJobLine, env: NodeJS.ProcessEnv, onRecord: (record: RankRecord) => void) {
    const words = SETPRIV === undefined ? [file, ...args] : [SETPRIV, '--pdeathsig', STOP.slice(3), file, ...args];
    const [program = file, ...rest] = words;
    this.#child = spawn(program, rest, {
      env: { ...env, ...added },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const reader = new RecordReader(onRecord);
    this.#child.stdout?.on('data', (bytes: Buffer) => passOn(process.stdout, reader.push(bytes)));
    this.#child.stderr?.on('data', (bytes: Buffer) => passOn(process.stderr, bytes));
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (exitCode, signal) => resolve({ exitCode, signal }));
      this.#child.once('exit', () => this.#endLeft());
    });
  }

  /** Asks all ranks for a stop. */
  stop(): void {
    this.#child.kill(STOP);
  }

  /** Ends mpirun and all ranks. */
  async abort(): Promise<void> {
    this.#child.kill('SIGTERM');
    const stillThere = Symbol();
    const outcome = await Promise.race([this.ended, delay(ABORT_MS, stillThere, { ref: false })]);
    if (outcome === stillThere) this.#killGroup();
  }

  /** mpirun leaves an ssh behind whose machine does not answer; ranks that it leaves, when it is killed, stop by the same signal. */
  #endLeft(): void {
    for (const pid of processesOfSession(this.#child.pid ?? 0)) signal(pid, 'SIGTERM');
    const closeOutput = (): void => {
      this.#child.stdout?.destroy();
      this.#child.stderr?.destroy();
    };
    setTimeout(closeOutput, OUTPUT_MS).unref();
  }

  #killGroup(): void {
    const { pid } = this.#child;
    if (pid !== undefined) signal(-pid, 'SIGKILL');
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it has ended meanwhile
  }
}
