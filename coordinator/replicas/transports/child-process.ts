// The process of a replica, forked by node:cluster: carries frames both ways, watches the heartbeat and the end of the process.
import cluster, { type Worker } from 'node:cluster';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { GanglionError, messageOf } from '../../../shared/error.ts';
import { encodeFrame, FrameDecoder } from '../../../shared/frame.ts';
import { FRAME_FD, HEARTBEAT_FD, HEARTBEAT_MS, type Request } from '../../../shared/process-protocol.ts';
import type { FrameChannel, FrameWatcher } from './frame-calls.ts';
import { flagsForProcess } from './inherited-flags.ts';

/** Heartbeats in a row that may be missing (2 s). */
const MISSED_BEATS = 2_000 / HEARTBEAT_MS;
/** Time between the end of a channel and the end of its process, after which it is known which of the two failed. */
const LINGER_MS = 250;

/** Forks an entry file, with `env` over this process's environment. What it prints goes to standard error: standard output is the coordinator's. */
function fork(entry: URL, name: string, env: NodeJS.ProcessEnv): Worker {
  // The settings of node:cluster are the process's own and stay from one fork to the next: so all of them, before every fork.
  cluster.setupPrimary({
    exec: fileURLToPath(entry),
    args: [name],
    execArgv: flagsForProcess(),
    // 3 is what node:cluster needs; 4 and 5 are socket pairs, private to the two processes, that carry frames and heartbeats.
    // A frame of 1.5 MB there and back takes 0.67 ms on one, and 1.47 ms on the built-in channel (test/bench/channel.mjs).
    stdio: ['ignore', 2, 2, 'ipc', 'pipe', 'pipe'],
  });
  return cluster.fork(env);
}

export class ReplicaProcess implements FrameChannel {
  readonly #worker: Worker;
  readonly #frames: Socket;
  readonly #ended: Promise<void>;
  readonly #watcher: FrameWatcher;
  readonly #heartbeat: { expect(): void };
  #exit: string | undefined;
  #signal: NodeJS.Signals | null = null;
  #channelOpen = true;

  /** @throws GanglionError `environment` when no process can be made */
  constructor(entry: URL, name: string, env: NodeJS.ProcessEnv, watcher: FrameWatcher) {
    this.#watcher = watcher;
    this.#worker = fork(entry, name, env);
    const { process: child } = this.#worker;
    // @types/node knows five; without a file descriptor left there are none.
    const stdio: readonly unknown[] = child.stdio ?? [];
    const [frames, heartbeat] = [stdio[FRAME_FD], stdio[HEARTBEAT_FD]];
    if (child.pid === undefined || !(frames instanceof Socket) || !(heartbeat instanceof Socket)) {
      this.#worker.on('error', () => {});
      throw new GanglionError('environment', 'no process for a replica can be made: too many processes or open files');
    }
    this.#frames = frames;
    this.#ended = new Promise((resolve) => {
      this.#worker.on('error', (error) => watcher.lost('error', `failed: ${messageOf(error)}`, error));
      child.once('exit', (code, signal) => {
        this.#exit = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
        this.#signal = signal;
        resolve();
        this.#tellEnd();
      });
    });
    this.#readFrames();
    this.#heartbeat = this.#readHeartbeat(heartbeat);
  }

  /** The signal that ended the process, if one did. */
  get endedBy(): NodeJS.Signals | null {
    return this.#signal;
  }

  /**
   * Sends a frame. The body is not copied: what the kernel cannot take at once is read from it later.
   *
   * Bytes that the coordinator has changed by then are no harm. It rewrites parameters when all results that need them have been
   * accepted, so a call that reads them torn has been overtaken, and what it answers is dropped. A thread, which reads the very
   * memory, stands the same way.
   */
  send(request: Request, body?: Uint8Array): void {
    if (!this.#channelOpen) return;
    this.#frames.cork();
    this.#frames.write(encodeFrame(request, body?.length ?? 0));
    if (body) this.#frames.write(body);
    this.#frames.uncork();
  }

  /** The process has started: from now on it must give signs of life, which it does from the first beat on in any case. */
  expectHeartbeat(): void {
    this.#heartbeat.expect();
  }

  /** Ends the process at once, frozen or not. */
  kill(): void {
    if (this.#exit === undefined) this.#worker.process.kill('SIGKILL');
  }

  /**
   * Waits until the process has ended; kills it when it does not by itself, as it ignores gentler signals.
   *
   * @param graceMs time that it has before that
   */
  async end(graceMs: number): Promise<void> {
    if (!(await this.#endsWithin(graceMs))) this.kill();
    await this.#ended;
  }

  async #endsWithin(limitMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, limitMs, false);
    });
    try {
      return await Promise.race([this.#ended.then(() => true), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #readFrames(): void {
    const decoder = new FrameDecoder(this.#watcher.frames);
    const frames = this.#frames;
    frames.on('data', (chunk) => {
      try {
        decoder.push(chunk);
      } catch (error) {
        const malformed = error instanceof GanglionError && error.reason === 'frame';
        this.#watcher.lost(malformed ? 'frame' : 'error', `sent a ${messageOf(error)}`, error);
        frames.destroy();
      }
    });
    frames.on('error', () => {}); // 'close' follows
    frames.on('close', () => {
      this.#channelOpen = false;
      this.#tellEnd();
    });
  }

  /** A process that ends closes its channel too, and its last frame may still be on the way when it has: so both are waited for. */
  #tellEnd(): void {
    const tell = (): void => {
      if (this.#exit === undefined) this.#watcher.lost('channel', 'closed its channel but is still running');
      else this.#watcher.lost('exit', this.#exit);
    };
    if (this.#exit !== undefined && !this.#channelOpen) tell();
    else setTimeout(tell, LINGER_MS);
  }

  /**
   * Counts ticks of this process's own clock, not time: when this process has been frozen too, one tick is missing, not many.
   */
  #readHeartbeat(heartbeat: Socket): { expect(): void } {
    let missed = 0;
    let ticks: NodeJS.Timeout | undefined;
    const expect = (): void => {
      if (this.#exit === undefined) ticks ??= setInterval(tick, HEARTBEAT_MS);
    };
    const tick = (): void => {
      missed += 1;
      if (missed <= MISSED_BEATS) return;
      clearInterval(ticks);
      this.#watcher.lost('heartbeat', `gave no sign of life for ${(missed * HEARTBEAT_MS) / 1000} s`);
    };
    heartbeat.on('data', () => {
      missed = 0;
      expect();
    });
    heartbeat.on('error', () => {});
    // One that closes its heartbeat goes on missing beats; one that has ended has another reason.
    this.#worker.process.once('exit', () => clearInterval(ticks));
    return { expect };
  }
}
