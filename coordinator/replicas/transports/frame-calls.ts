// The calls of a replica that is reached by frames, over whatever carries them: parameters, shards and results travel as bytes; the calls
// are those of a thread.
import { type FaultReason, GanglionError } from '../../../shared/error.ts';
import { type FrameSink, malformed } from '../../../shared/frame.ts';
import type { Net, Pass } from '../../../shared/model/layout.ts';
import { imageSizeOf } from '../../../shared/model/spec.ts';
import { viewsOf } from '../../../shared/pixels.ts';
import { type Answer, bytesOf, type Request, toAnswer } from '../../../shared/process-protocol.ts';
import type { HostSetup, ReplicaReady, SampleJob } from '../../../shared/protocol.ts';
import type { Shard, ShardResult } from '../replica.ts';
import { succeeded, toShardResult } from './outcomes.ts';
import { ResultSlots, resultVectors } from './result-slots.ts';
import { type Limit, WaitingCalls } from './waiting-calls.ts';

export interface FrameOptions {
  readonly setup: Omit<HostSetup, 'replica' | 'results'>;
  /** All images that shards may name, uint8 [count, values of an image]. */
  readonly images: Uint8Array;
  /** After this time a start or a picture is given up and the replica counts as lost; shards have a deadline from the group. */
  readonly deadlineMs: number;
}

/** Receives what happens to a replica. */
export interface FrameWatcher {
  /** Takes the frames that it sends. */
  readonly frames: FrameSink;
  /** The replica is lost. May be called several times; the first call names the cause. */
  lost(reason: FaultReason, what: string, cause?: unknown): void;
}

/** What carries the frames to a replica. */
export interface FrameChannel {
  /** Sends a frame; does nothing where the channel is closed. */
  send(request: Request, body?: Uint8Array): void;
  /** Ends the other side at once, as far as that is possible. @param why the calls end */
  kill(why: GanglionError): void;
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

/** The calls of one replica. */
export class FrameCalls {
  readonly #id: number;
  readonly #options: FrameOptions;
  readonly #waiting: WaitingCalls<Answer, Expected>;
  readonly #channel: FrameChannel;
  #calls = 0;
  #answer: Answer | undefined;
  /** The version of each net that the replica has. */
  readonly #sent: Record<Net, number> = { generator: -1, discriminator: -1 };
  /** Values of an image. */
  readonly #imageSize: number;
  /** What results arrive in. */
  readonly #results: Readonly<Record<Pass, readonly Float32Array[]>>;
  readonly #slots: ResultSlots;

  /** @param open opens the channel, whose frames and end it tells */
  constructor(id: number, options: FrameOptions, open: (watcher: FrameWatcher) => FrameChannel) {
    this.#id = id;
    this.#options = options;
    this.#imageSize = imageSizeOf(options.setup.spec);
    this.#waiting = new WaitingCalls(id);
    this.#results = resultVectors(options.setup.spec, (length) => new Float32Array(length));
    this.#slots = new ResultSlots(this.#results);
    this.#channel = open({
      frames: {
        open: (header, bodyBytes) => this.#open(toAnswer(header), bodyBytes),
        complete: () => this.#settle(),
      },
      lost: (reason, what, cause) => this.lose(reason, what, cause),
    });
  }

  /** Waits until the replica has run every program once. @throws GanglionError when it does not start */
  async start(): Promise<ReplicaReady> {
    const { backend, gpu, shardSize, spec, seed, shards, realLabel } = this.#options.setup;
    const setup = { replica: this.#id, backend, gpu, shardSize, spec, seed, shards, realLabel };
    return await this.#call((call) => ({ kind: 'start', call, setup }), {
      limit: { ms: this.#options.deadlineMs, what: 'start' },
      read: ({ outcome }) => succeeded(outcome).ready,
    });
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

  /** Asks the replica to stop. Rejects where it does not answer in time. */
  async stop(ms: number): Promise<void> {
    await this.#call((call) => ({ kind: 'stop', call }), { limit: { ms, what: 'stop' }, read: () => {} });
  }

  /** The replica answers no more: every call ends by what is told first, and its channel closes. @returns why the calls end */
  lose(reason: FaultReason, what: string, cause?: unknown): GanglionError {
    const lost = this.#waiting.lose(reason, what, cause);
    this.#channel.kill(lost);
    return lost;
  }

  #sendParameters(net: Net, version: number): void {
    this.#channel.send({ kind: 'parameters', net }, bytesOf(this.#options.setup.parameters[net]));
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
    if (!this.#waiting.lost) this.#channel.send(asked, body);
    try {
      return await answered;
    } catch (error) {
      // Whatever it computes, nobody waits for it.
      if (error instanceof GanglionError && error.reason === 'deadline') this.lose('deadline', 'missed a deadline');
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
    else this.lose(answer.error.reason ?? 'error', `crashed: ${answer.error.message}`);
  }
}
