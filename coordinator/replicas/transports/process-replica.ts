// A replica in a process of its own. Parameters and results travel as frames; the calls are those of a thread.
import { needsProcess, visibleAlone } from '../../../shared/device.ts';
import { type FaultReason, GanglionError } from '../../../shared/error.ts';
import { malformed } from '../../../shared/frame.ts';
import type { Net, Pass } from '../../../shared/model/layout.ts';
import { imageSizeOf } from '../../../shared/model/spec.ts';
import { viewsOf } from '../../../shared/pixels.ts';
import { type Answer, bytesOf, type Request, toAnswer } from '../../../shared/process-protocol.ts';
import type { HostSetup, ReplicaReady, SampleJob } from '../../../shared/protocol.ts';
import { STOP_SIGNALS } from '../../../shared/stop-signals.ts';
import type { Replica, Shard, ShardResult } from '../replica.ts';
import { ReplicaProcess } from './child-process.ts';
import { succeeded, toShardResult } from './outcomes.ts';
import { ResultSlots, resultVectors } from './result-slots.ts';
import { type Limit, WaitingCalls } from './waiting-calls.ts';

export interface ProcessOptions {
  /** Compiled entry file of the process. */
  readonly entry: URL;
  readonly setup: Omit<HostSetup, 'replica' | 'results'>;
  /** All images that shards may name, uint8 [count, values of an image]. */
  readonly images: Uint8Array;
  /** After this time a start or a picture is given up and the process ended; shards have a deadline from the group. */
  readonly deadlineMs: number;
}

type AnswerTo<Kind> = Extract<Answer, { readonly kind: Kind }>;
type CallOf<Kind> = Extract<Request, { readonly kind: Kind; readonly call: number }>;
type CallKind = Extract<Request, { readonly call: number }>['kind'];

/** What the answer to a call must be. */
interface Expected {
  readonly call: number;
  readonly kind: CallKind;
  /** What the body of a good answer is read into. */
  readonly body: Uint8Array;
}

/** How a call is made. */
interface CallOptions<Kind, Result> {
  /** Deadline, unless the caller keeps one. */
  readonly limit?: Limit;
  readonly body?: Uint8Array | undefined;
  readonly answerBody?: Uint8Array;
  /** The result of the call. @throws GanglionError of an answer that is an error */
  readonly read: (answer: AnswerTo<Kind>) => Result;
  /** Called if the call fails. */
  readonly release?: () => void;
}

/** For the answer to `stop`; after that a signal ends the process, also inside a native call. */
const STOP_MS = 1_000;
/** From the answer to `stop` to the end of the process. */
const EXIT_MS = 1_000;
/** Starts of a process that a signal meant for the coordinator ends before it can ignore it. */
const STARTS = 3;
const NOTHING: Uint8Array = new Uint8Array();

/**
 * The version of each net that a pass needs: how often it has been updated. A step updates D, then G, and an update that is skipped
 * counts all the same, so versions follow from the step.
 */
function versionsFor({ step, pass }: Shard): readonly (readonly [net: Net, version: number])[] {
  switch (pass) {
    case 'real':
      return [['discriminator', step]];
    case 'fake':
      return [
        ['discriminator', step],
        ['generator', step],
      ];
    case 'generator':
      return [
        ['discriminator', step + 1],
        ['generator', step],
      ];
  }
}

/** The calls of one process. */
class ProcessCalls {
  readonly #id: number;
  readonly #options: ProcessOptions;
  readonly #waiting: WaitingCalls<Answer, Expected>;
  readonly #process: ReplicaProcess;
  #calls = 0;
  #answer: Answer | undefined;
  /** The version of each net that the process has. */
  readonly #sent: Record<Net, number> = { generator: -1, discriminator: -1 };
  /** Values of an image. */
  readonly #imageSize: number;
  /** What results arrive in. */
  readonly #results: Readonly<Record<Pass, readonly Float32Array[]>>;
  readonly #slots: ResultSlots;

  constructor(id: number, options: ProcessOptions) {
    this.#id = id;
    this.#options = options;
    this.#imageSize = imageSizeOf(options.setup.spec);
    this.#waiting = new WaitingCalls(id);
    this.#results = resultVectors(options.setup.spec, (length) => new Float32Array(length));
    this.#slots = new ResultSlots(this.#results);
    const { setup } = options;
    const env = needsProcess(setup) ? { CUDA_VISIBLE_DEVICES: visibleAlone(setup.gpu ?? 0) } : {};
    this.#process = new ReplicaProcess(options.entry, `replica-${id}`, env, {
      frames: {
        open: (header, bodyBytes) => this.#open(toAnswer(header), bodyBytes),
        complete: () => this.#settle(),
      },
      lost: (reason, what, cause) => this.#lose(reason, what, cause),
    });
  }

  get endedBy(): NodeJS.Signals | null {
    return this.#process.endedBy;
  }

  async start(): Promise<ReplicaReady> {
    const { backend, gpu, shardSize, spec, seed, shards, realLabel } = this.#options.setup;
    const setup = { replica: this.#id, backend, gpu, shardSize, spec, seed, shards, realLabel };
    const ready = await this.#call((call) => ({ kind: 'start', call, setup }), {
      limit: { ms: this.#options.deadlineMs, what: 'start' },
      read: ({ outcome }) => succeeded(outcome).ready,
    });
    this.#process.expectHeartbeat();
    return ready;
  }

  async compute(given: Shard): Promise<ShardResult> {
    const { step, pass, shard, images, fault } = given;
    for (const [net, version] of versionsFor(given)) {
      if (this.#sent[net] !== version) this.#sendParameters(net, version);
    }
    const slot = this.#slots.take(pass);
    const job = { step, pass, shard, ...(fault ? { fault } : {}) };
    return await this.#call((call) => ({ kind: 'compute', call, job }), {
      body: images && Buffer.concat(viewsOf(this.#options.images, images, this.#imageSize)),
      answerBody: bytesOf(this.#results[pass][slot.index] as Float32Array),
      read: ({ outcome }) => toShardResult(this.#id, given, slot, outcome),
      release: slot.release,
    });
  }

  async sample({ seed, count, statistics, parameters }: SampleJob): Promise<Float32Array> {
    // Rare, and at no version that could be named: sent with the call, and again before the next shard that needs them.
    this.#sendParameters('generator', -1);
    const images = new Float32Array(count * this.#imageSize);
    return await this.#call((call) => ({ kind: 'sample', call, seed, count }), {
      limit: { ms: this.#options.deadlineMs, what: `${count} samples` },
      body:
        statistics === 'batch'
          ? undefined
          : parameters
            ? Buffer.concat([bytesOf(statistics), bytesOf(parameters)])
            : bytesOf(statistics),
      answerBody: bytesOf(images),
      read: ({ outcome }) => succeeded(outcome) && images,
    });
  }

  /** Ends the process and waits for its end; never rejects. */
  async stop(): Promise<void> {
    const asked = this.#call((call) => ({ kind: 'stop', call }), {
      limit: { ms: STOP_MS, what: 'stop' },
      read: () => {},
    });
    const graceMs = await asked.then(
      () => EXIT_MS,
      () => 0,
    );
    await this.#process.end(graceMs);
  }

  #sendParameters(net: Net, version: number): void {
    this.#process.send({ kind: 'parameters', net }, bytesOf(this.#options.setup.parameters[net]));
    this.#sent[net] = version;
  }

  async #call<Kind extends CallKind, Result>(
    request: (call: number) => CallOf<Kind>,
    { limit, body, answerBody = NOTHING, read, release }: CallOptions<Kind, Result>,
  ): Promise<Result> {
    const asked = request(this.#calls++);
    const answered = this.#waiting.keep({
      limit,
      expected: { call: asked.call, kind: asked.kind, body: answerBody },
      read: (answer) => read(answer as AnswerTo<Kind>), // #open has compared the kinds
      release,
    });
    if (!this.#waiting.lost) this.#process.send(asked, body);
    try {
      return await answered;
    } catch (error) {
      // Whatever it computes, nobody waits for it.
      if (error instanceof GanglionError && error.reason === 'deadline') this.#lose('deadline', 'missed a deadline');
      throw error;
    }
  }

  #open(answer: Answer, bodyBytes: number): Uint8Array {
    this.#answer = answer;
    if (answer.kind === 'crashed') return NOTHING;
    const { next } = this.#waiting;
    if (next?.call !== answer.call) throw malformed(`expected the answer to call ${next?.call}, got ${answer.call}`);
    if (next.kind !== answer.kind) throw malformed(`expected an answer to ${next.kind}, got one to ${answer.kind}`);
    const body = answer.outcome.ok ? next.body : NOTHING;
    // Checked here, so that the lengths of the message are those that are expected of this call.
    if (bodyBytes !== body.length) throw malformed(`expected a body of ${body.length} bytes, got ${bodyBytes}`);
    return body;
  }

  #settle(): void {
    const answer = this.#answer;
    if (!answer) return;
    if (answer.kind !== 'crashed') this.#waiting.answer(answer);
    else this.#lose(answer.error.reason ?? 'error', `crashed: ${answer.error.message}`);
  }

  #lose(reason: FaultReason, what: string, cause?: unknown): void {
    this.#waiting.lose(reason, what, cause);
    this.#process.kill();
  }
}

/**
 * Starts a replica in a process of its own and waits until it has run every program once.
 *
 * @throws GanglionError when it does not start; the process has ended then
 */
export async function startProcessReplica(id: number, options: ProcessOptions): Promise<Replica> {
  for (let starts = 1; ; starts++) {
    const calls = new ProcessCalls(id, options);
    try {
      const ready = await calls.start();
      return {
        id,
        kind: 'process',
        ready,
        compute: (shard) => calls.compute(shard),
        sample: (job) => calls.sample(job),
        stop: () => calls.stop(),
      };
    } catch (error) {
      await calls.stop();
      // They may reach the whole process group, and a process that has only just begun does not ignore them yet.
      const early = STOP_SIGNALS.some((signal) => signal === calls.endedBy);
      if (!early || starts === STARTS) throw error;
    }
  }
}
