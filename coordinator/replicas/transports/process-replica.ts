// A replica in a process of its own. Parameters and results travel as frames; the calls are those of a thread.
import { type FaultReason, GanglionError } from '../../../shared/error.ts';
import { malformed } from '../../../shared/frame.ts';
import type { Net } from '../../../shared/model/layout.ts';
import { imageSizeOf } from '../../../shared/model/spec.ts';
import { viewsOf } from '../../../shared/pixels.ts';
import { type Answer, bytesOf, type Request, toAnswer } from '../../../shared/process-protocol.ts';
import { describeShard, type ReplicaSetup, type SampleJob } from '../../../shared/protocol.ts';
import type { Replica, Shard, ShardResult } from '../replica.ts';
import { ReplicaProcess } from './child-process.ts';
import { PendingCalls } from './pending-calls.ts';
import { ResultSlots, resultArrays } from './result-slots.ts';

export interface ProcessOptions {
  /** Compiled entry file of the process. */
  readonly entry: URL;
  readonly setup: Omit<ReplicaSetup, 'replica' | 'results'>;
  /** All images that shards may name, uint8 [count, values of an image]. */
  readonly images: Uint8Array;
  /** After this time a start or a picture is given up and the process ended; shards have a deadline from the group. */
  readonly deadlineMs: number;
}

type AnswerTo<Kind> = Extract<Answer, { readonly kind: Kind }>;
type CallOf<Kind> = Extract<Request, { readonly kind: Kind; readonly call: number }>;
type CallKind = Extract<Request, { readonly call: number }>['kind'];

/** A call whose answer has not come. */
interface Waiting {
  readonly call: number;
  readonly kind: CallKind;
  /** What the answer's body is read into. */
  readonly body: Uint8Array;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: GanglionError) => void;
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
  readonly #pending: PendingCalls;
  readonly #process: ReplicaProcess;
  /** In the order of the calls, which is that of the answers. */
  readonly #waiting: Waiting[] = [];
  #calls = 0;
  #answer: Answer | undefined;
  /** The version of each net that the process has. */
  readonly #sent: Record<Net, number> = { generator: -1, discriminator: -1 };
  /** Values of an image. */
  readonly #imageSize: number;
  /** What results arrive in. */
  readonly #slots: ResultSlots;

  constructor(id: number, options: ProcessOptions) {
    this.#id = id;
    this.#options = options;
    this.#imageSize = imageSizeOf(options.setup.spec);
    this.#pending = new PendingCalls(id);
    this.#slots = new ResultSlots(resultArrays(options.setup.spec, (bytes) => new ArrayBuffer(bytes)));
    this.#process = new ReplicaProcess(options.entry, `replica-${id}`, {
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

  async start(): Promise<AnswerTo<'start'>['ready']> {
    const { deadlineMs: limitMs } = this.#options;
    const { backend, shardSize, spec, seed, shards } = this.#options.setup;
    const setup = { replica: this.#id, backend, shardSize, spec, seed, shards };
    const { ready } = await this.#call('start', (call) => ({ kind: 'start', call, setup }), { limitMs });
    this.#process.expectHeartbeat();
    return ready;
  }

  async compute(given: Shard): Promise<ShardResult> {
    const { step, pass, shard, images, fault } = given;
    for (const [net, version] of versionsFor(given)) {
      if (this.#sent[net] !== version) this.#sendParameters(net, version);
    }
    const { values, release } = this.#slots.take(pass);
    const what = describeShard(given);
    const answer = await this.#call(
      what,
      (call) => ({ kind: 'compute', call, step, pass, shard, ...(fault ? { fault } : {}) }),
      {
        body: images && Buffer.concat(viewsOf(this.#options.images, images, this.#imageSize)),
        answerBody: bytesOf(values),
      },
    ).catch((error: unknown) => {
      release();
      throw error;
    });
    if (answer.step !== step || answer.pass !== pass || answer.shard !== shard) {
      throw new Error(`replica ${this.#id} answered another shard: expected ${what}, got ${JSON.stringify(answer)}`);
    }
    return { values, seconds: answer.seconds, tensors: answer.tensors, release };
  }

  async sample({ seed, count, statistics }: SampleJob): Promise<Float32Array> {
    // Rare, and at no version that could be named: sent with the call, and again before the next shard that needs them.
    this.#sendParameters('generator', -1);
    const images = new Float32Array(count * this.#imageSize);
    const body = statistics === 'batch' ? undefined : bytesOf(statistics);
    await this.#call(`${count} samples`, (call) => ({ kind: 'sample', call, seed, count }), {
      limitMs: this.#options.deadlineMs,
      body,
      answerBody: bytesOf(images),
    });
    return images;
  }

  /** Ends the process and waits for its end; never rejects. */
  async stop(): Promise<void> {
    const asked = this.#call('stop', (call) => ({ kind: 'stop', call }), { limitMs: STOP_MS });
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

  /** @param limitMs deadline, unless the caller keeps one */
  async #call<Kind extends CallKind>(
    what: string,
    request: (call: number) => CallOf<Kind>,
    {
      limitMs,
      body,
      answerBody = NOTHING,
    }: { limitMs?: number; body?: Uint8Array | undefined; answerBody?: Uint8Array },
  ): Promise<AnswerTo<Kind>> {
    const call = this.#calls++;
    const ask = (): Promise<Answer> =>
      new Promise((resolve, reject) => {
        const asked = request(call);
        this.#waiting.push({ call, kind: asked.kind, body: answerBody, resolve, reject });
        this.#process.send(asked, body);
      });
    try {
      return (await this.#pending.call(what, ask, limitMs)) as AnswerTo<Kind>; // #open has compared the kinds
    } catch (error) {
      // Whatever it computes, nobody waits for it.
      if (error instanceof GanglionError && error.reason === 'deadline') this.#lose('deadline', 'missed a deadline');
      throw error;
    }
  }

  #open(answer: Answer, bodyBytes: number): Uint8Array {
    this.#answer = answer;
    if (answer.kind === 'failed' && answer.call === null) return NOTHING;
    const [next] = this.#waiting;
    if (next?.call !== answer.call) throw malformed(`expected the answer to call ${next?.call}, got ${answer.call}`);
    if (answer.kind === 'failed') return NOTHING;
    if (next.kind !== answer.kind) throw malformed(`expected an answer to ${next.kind}, got one to ${answer.kind}`);
    // Checked here, so that the lengths of the message are those that are expected of this call.
    if (bodyBytes !== next.body.length)
      throw malformed(`expected a body of ${next.body.length} bytes, got ${bodyBytes}`);
    return next.body;
  }

  #settle(): void {
    const answer = this.#answer;
    if (!answer) return;
    if (answer.kind === 'failed' && answer.call === null) {
      this.#lose(answer.error.reason ?? 'error', `crashed: ${answer.error.message}`);
      return;
    }
    const next = this.#waiting.shift();
    if (answer.kind === 'failed') next?.reject(GanglionError.fromPlain(answer.error));
    else next?.resolve(answer);
  }

  #lose(reason: FaultReason, what: string, cause?: unknown): void {
    this.#pending.lose(reason, what, cause);
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
      // Both may reach the whole process group, and a process that has only just begun does not ignore them yet.
      const early = calls.endedBy === 'SIGINT' || calls.endedBy === 'SIGTERM';
      if (!early || starts === STARTS) throw error;
    }
  }
}
