// Looks at the replicas now and then, and notices when this process itself has stood still.

/** How often the group looks for stragglers. */
const WATCH_MS = 20;
/** After a longer gap between two looks this process has stood still (Ctrl-Z, a suspended machine), and its replicas with it. */
const STANDSTILL_MS = 1_000;

export class Watch {
  readonly #now: () => number;
  readonly #look: (stoodStillMs: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #pending: NodeJS.Immediate | undefined;
  #lookedMs = 0;

  /**
   * @param now monotonic clock in milliseconds
   * @param look gets the milliseconds for which this process has stood still since the last look; 0 as a rule
   */
  constructor(now: () => number, look: (stoodStillMs: number) => void) {
    this.#now = now;
    this.#look = look;
  }

  start(): void {
    this.#lookedMs = this.#now();
    this.#timer = setInterval(() => {
      const gapMs = this.#now() - this.#lookedMs;
      this.#lookedMs += gapMs;
      // Answers that have come while this process was busy are taken first: they are not late.
      this.#pending = setImmediate(() => this.#look(gapMs > STANDSTILL_MS ? gapMs : 0));
    }, WATCH_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    clearImmediate(this.#pending);
  }
}
