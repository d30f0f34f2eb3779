// Keeps the calls of one replica that wait for an answer, over both transports: each ends with its answer, at its deadline, or with the
// replica; what a call holds is released when it fails.
import { type FaultReason, GanglionError } from '../../../shared/error.ts';

/** A call that is to be kept. */
interface Call<Answer, Result> {
  /** Names the call in messages. */
  readonly what: string;
  /** Its deadline, unless its caller keeps one. */
  readonly limitMs?: number | undefined;
  /** The result of the call. @throws when the answer is an error, or none to this call */
  readonly read: (answer: Answer) => Result;
  /** Gives back what the call holds; called once if it fails. */
  readonly release?: (() => void) | undefined;
}

/** A call whose answer comes in the order of such calls. */
export interface OrderedCall<Answer, Result, Expected> extends Call<Answer, Result> {
  /** What the transport has to know when the answer arrives. */
  readonly expected: Expected;
}

/** A call without an answer. */
interface Waiting<Answer> {
  answer(answer: Answer): void;
  fail(error: unknown): void;
}

export class WaitingCalls<Answer, Expected> {
  readonly #replica: number;
  readonly #ordered: (Waiting<Answer> & { readonly expected: Expected })[] = [];
  /** Calls whose answers come as promises. One to race with, as long as the replica lives, would keep every answer. */
  readonly #others = new Set<Waiting<never>>();
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
    return this.#ordered[0]?.expected;
  }

  /** Keeps a call that {@link answer} ends. Rejects at once when the replica is lost. */
  keep<Result>({ expected, ...call }: OrderedCall<Answer, Result, Expected>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const waiting = this.#wait(call, resolve, reject, () => {});
      if (this.#lost) waiting.fail(this.#lost);
      else this.#ordered.push({ ...waiting, expected });
    });
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
  call<Result>(what: string, ask: () => Promise<Result>, limitMs?: number): Promise<Result> {
    if (this.#lost) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => {
      const read = (answer: Result): Result => answer;
      const waiting = this.#wait({ what, limitMs, read }, resolve, reject, () => this.#others.delete(waiting));
      this.#others.add(waiting);
      ask().then(waiting.answer, waiting.fail);
    });
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

  #wait<Given, Result>(
    { what, limitMs, read, release }: Call<Given, Result>,
    resolve: (result: Result) => void,
    reject: (error: unknown) => void,
    onEnd: () => void,
  ): Waiting<Given> {
    let isOver = false;
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => {
      isOver = true;
      clearTimeout(timer);
      onEnd();
    };
    const fail = (error: unknown): void => {
      if (isOver) return;
      end();
      release?.();
      reject(error);
    };
    const answer = (given: Given): void => {
      if (isOver) return;
      try {
        const result = read(given);
        end();
        resolve(result);
      } catch (error) {
        fail(error);
      }
    };
    if (limitMs !== undefined) {
      const expire = (): void => fail(this.#fault('deadline', `gave no answer to ${what} in ${limitMs} ms`));
      timer = setTimeout(expire, limitMs);
    }
    return { answer, fail };
  }

  #fault(reason: FaultReason, what: string, cause?: unknown): GanglionError {
    const place = { replica: this.#replica };
    return new GanglionError('replica', `replica ${this.#replica} ${what}`, { cause, place, reason });
  }
}
