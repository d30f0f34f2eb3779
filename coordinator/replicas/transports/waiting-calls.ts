// Keeps the calls of one replica that wait for an answer, over both transports: each ends with its answer, at its deadline, or with the
// replica; what a call holds is released when it fails. A step has a call a shard and pass, so a call is one object.
import { type FaultReason, GanglionError } from '../../../shared/error.ts';

/** A deadline. */
export interface Limit {
  readonly ms: number;
  /** Names the call in messages. */
  readonly what: string;
}

/** A call whose answer comes in the order of such calls. */
export interface OrderedCall<Answer, Result, Expected> {
  /** What the transport has to know when the answer arrives. */
  readonly expected: Expected;
  /** Its deadline, unless its caller keeps one. */
  readonly limit?: Limit | undefined;
  /** The result of the call. @throws when the answer is an error, or none to this call */
  readonly read: (answer: Answer) => Result;
  /** Gives back what the call holds; called once if it fails. */
  readonly release?: (() => void) | undefined;
}

/** A call without an answer, whatever its result. */
type Waiting<Answer, Expected> = Pick<WaitingCall<Answer, unknown, Expected>, 'call' | 'answer' | 'fail' | 'failAfter'>;

export class WaitingCalls<Answer, Expected> {
  readonly #replica: number;
  readonly #ordered: Waiting<Answer, Expected>[] = [];
  /** Calls whose answers come as promises. One to race with, as long as the replica lives, would keep every answer. */
  readonly #others = new Set<Waiting<never, undefined>>();
  #lost: GanglionError | undefined;

  constructor(replica: number) {
    this.#replica = replica;
  }

  /** Why the replica is lost; undefined while it is not. */
  get lost(): GanglionError | undefined {
    return this.#lost;
  }

  /** What is expected of the next answer. */
  get next(): Expected | undefined {
    return this.#ordered[0]?.call.expected;
  }

  /** Keeps a call that {@link answer} ends. Rejects at once when the replica is lost. */
  keep<Result>(call: OrderedCall<Answer, Result, Expected>): Promise<Result> {
    const waiting = new WaitingCall(call);
    if (this.#lost) waiting.fail(this.#lost);
    else {
      this.#limit(waiting, call.limit);
      this.#ordered.push(waiting);
    }
    return waiting.ended;
  }

  /** Ends the oldest call. Does nothing when there is none, because the replica was lost. */
  answer(answer: Answer): void {
    this.#ordered.shift()?.answer(answer);
  }

  /**
   * Keeps a call whose answer comes as a promise.
   *
   * @throws GanglionError of code `replica`, with a reason
   */
  async call<Result>(ask: () => Promise<Result>, limit: Limit): Promise<Result> {
    if (this.#lost) throw this.#lost;
    const waiting = new WaitingCall({ expected: undefined, read: (answer: Result) => answer });
    this.#limit(waiting, limit);
    this.#others.add(waiting);
    ask().then(
      (answer) => waiting.answer(answer),
      (error: unknown) => waiting.fail(error),
    );
    try {
      return await waiting.ended;
    } finally {
      this.#others.delete(waiting);
    }
  }

  /**
   * The replica answers no more: rejects all calls, now and from now on, by what is told first.
   *
   * @param current place of the ordered call that the replica was computing: it is rejected first
   * @returns why the calls are rejected
   */
  lose(reason: FaultReason, what: string, cause?: unknown, current = 0): GanglionError {
    this.#lost ??= this.#fault(reason, what, cause);
    const ordered = [...this.#ordered.splice(current, 1), ...this.#ordered.splice(0)];
    for (const waiting of [...ordered, ...this.#others]) waiting.fail(this.#lost);
    return this.#lost;
  }

  #limit(waiting: Waiting<never, unknown>, limit: Limit | undefined): void {
    if (!limit) return;
    const { ms, what } = limit;
    waiting.failAfter(ms, () => this.#fault('deadline', `gave no answer to ${what} in ${ms} ms`));
  }

  #fault(reason: FaultReason, what: string, cause?: unknown): GanglionError {
    const place = { replica: this.#replica };
    return new GanglionError('replica', `replica ${this.#replica} ${what}`, { cause, place, reason });
  }
}

/** It ends once: whatever comes later is dropped. */
class WaitingCall<Answer, Result, Expected> {
  readonly call: OrderedCall<Answer, Result, Expected>;
  readonly ended: Promise<Result>;
  #resolve: (result: Result) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(call: OrderedCall<Answer, Result, Expected>) {
    this.call = call;
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  answer(answer: Answer): void {
    if (this.#isOver) return;
    try {
      const result = this.call.read(answer);
      this.#end();
      this.#resolve(result);
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#end();
    this.call.release?.();
    this.#reject(error);
  }

  failAfter(ms: number, error: () => unknown): void {
    this.#timer = setTimeout(() => this.fail(error()), ms);
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
