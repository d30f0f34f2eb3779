// Where training and its consumer meet: after every step training waits here until the consumer asks for the next one. While it waits
// the state is whole, so what needs a whole state is done then.

export class StepGate<Step> {
  /** Steps that the consumer has not taken: one at most. */
  #step: Step | undefined;
  /** Whether the state is whole: training waits here, or is over. */
  #isOpen = false;
  #isOver = false;
  #letGo = false;
  #consumer: ((step: Step | undefined) => void) | undefined;
  #training: (() => void) | undefined;
  #queue: (() => Promise<void>)[] = [];
  readonly #running = new Set<Promise<void>>();

  /** Training's side: a step is done. Resolves when the consumer asks for the next, and nothing needs this state any more. */
  async pass(step: Step): Promise<void> {
    this.#open();
    if (!this.#letGo) {
      await new Promise<void>((resolve) => {
        this.#training = resolve;
        if (this.#consumer) this.#hand(step);
        else this.#step = step;
      });
    }
    await this.#settle();
    this.#isOpen = false;
  }

  /** Training's side: there are no more steps. */
  end(): void {
    this.#isOver = true;
    this.#open();
    this.#hand(undefined);
  }

  /** The consumer's side: the next step; undefined after the last. What was taken before is done with. */
  next(): Promise<Step | undefined> {
    const step = this.#step;
    if (step !== undefined) {
      this.#step = undefined;
      return Promise.resolve(step);
    }
    if (this.#isOver) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#consumer = resolve;
      this.#resume();
    });
  }

  /** The consumer's side: it wants no more steps; training does not wait here from now on. */
  release(): void {
    this.#letGo = true;
    this.#resume();
  }

  /** Does something with a whole state: at once while training waits here or is over, else after the step under way. */
  whenWhole<Result>(action: () => Promise<Result>): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const run = (): Promise<void> => action().then(resolve, reject);
      if (this.#isOpen) this.#track(run());
      else this.#queue.push(run);
    });
  }

  #open(): void {
    this.#isOpen = true;
    for (const run of this.#queue.splice(0)) this.#track(run());
  }

  #track(running: Promise<void>): void {
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  /** Waits also for what begins meanwhile. */
  async #settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #hand(step: Step | undefined): void {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    consumer?.(step);
  }

  #resume(): void {
    const training = this.#training;
    this.#training = undefined;
    training?.();
  }
}
