// Runs asynchronous work one piece after another, on a thread that also has messages to handle.

/** Lets this thread send its answers, and handle the calls that have arrived meanwhile. */
export async function yieldToEventLoop(): Promise<void> {
  // The first callback follows the events at hand, the second those that have arrived by then.
  await new Promise(setImmediate);
  await new Promise(setImmediate);
}

/** Work in the order in which it was asked for. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;

  /** Whether some work has not begun. */
  get hasPending(): boolean {
    return this.#pending > 0;
  }

  /** Runs `work` when all work before has ended. */
  run<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#pending += 1;
    const next = this.#last.then(() => {
      this.#pending -= 1;
      return work();
    });
    // The result is sent before the next piece of work, which blocks the thread. Its caller gets an error.
    const sent = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    this.#last = next.then(sent, sent);
    return next;
  }
}
