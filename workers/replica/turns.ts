// One thing after another, on a thread that also has messages to handle.

/** Lets everything through that has been sent or received meanwhile: answers of this thread, calls from the other. */
export async function letThrough(): Promise<void> {
  // The first callback follows the events at hand, the second those that have arrived by then.
  await new Promise(setImmediate);
  await new Promise(setImmediate);
}

/** Asynchronous work, one piece after another in the order in which it was asked for, and what there is to do in between. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Whether something is wanted that has not begun. */
  get isWanted(): boolean {
    return this.#waiting > 0;
  }

  take<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#waiting += 1;
    const next = this.#last.then(() => {
      this.#waiting -= 1;
      return work();
    });
    // The result is on its way before the next piece of work, which blocks the thread. An error the caller hears of.
    const sent = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    this.#last = next.then(sent, sent);
    return next;
  }
}
