// The calls of one replica that wait for an answer: each ends with its answer, at its deadline, or with the replica.
import { type FaultReason, GanglionError } from '../../../shared/error.ts';

export class PendingCalls {
  readonly #replica: number;
  /** Rejects the calls under way. Not a promise to race with: one that lives as long as the replica would keep every answer. */
  readonly #rejects = new Set<(error: GanglionError) => void>();
  #lost: GanglionError | undefined;

  constructor(replica: number) {
    this.#replica = replica;
  }

  /** Why the replica is lost; undefined while it is not. */
  get lost(): GanglionError | undefined {
    return this.#lost;
  }

  /** The replica answers no more: rejects all calls, now and from now on, by what is told first. @returns that */
  lose(reason: FaultReason, what: string, cause?: unknown): GanglionError {
    this.#lost ??= this.#fault(reason, what, cause);
    for (const reject of this.#rejects) reject(this.#lost);
    return this.#lost;
  }

  /**
   * @param what names the call in the message
   * @param limitMs its deadline, unless its caller keeps one
   * @throws GanglionError of code `replica`, with a reason
   */
  async call<T>(what: string, ask: () => Promise<T>, limitMs?: number): Promise<T> {
    if (this.#lost) throw this.#lost;
    return await new Promise<T>((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#rejects.delete(fail);
      };
      const fail = (error: unknown): void => {
        settle();
        reject(error);
      };
      const expire = (): void => fail(this.#fault('deadline', `gave no answer to ${what} in ${limitMs} ms`));
      const timer = limitMs === undefined ? undefined : setTimeout(expire, limitMs);
      this.#rejects.add(fail);
      ask().then((answer) => {
        settle();
        resolve(answer);
      }, fail);
    });
  }

  #fault(reason: FaultReason, what: string, cause?: unknown): GanglionError {
    const place = { replica: this.#replica };
    return new GanglionError('replica', `replica ${this.#replica} ${what}`, { cause, place, reason });
  }
}
