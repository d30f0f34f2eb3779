// Answers that cost the coordinator time: training goes on between them, however many are asked for.
import { setTimeout as delay } from 'node:timers/promises';
import { Refusal } from './access.ts';

export interface PaceOptions {
  /** Largest share of the event loop that goes into answers. */
  readonly share?: number;
  /** Answers that may wait for their turn. */
  readonly most?: number;
  /** Monotonic clock in milliseconds. */
  readonly now?: () => number;
  readonly pause?: (ms: number) => Promise<unknown>;
}

/** An answer that waited on others' work looks dear: the rest after it has an end. */
const LONGEST_REST_MS = 500;

/** Makes answers one after another, each followed by a rest. Who asks for what is waiting already gets the same. */
export class PacedAnswers {
  readonly #restPerMs: number;
  readonly #most: number;
  readonly #now: () => number;
  readonly #pause: (ms: number) => Promise<unknown>;
  readonly #waiting = new Map<string, Promise<unknown>>();
  #last: Promise<unknown> = Promise.resolve();
  #restUntilMs = 0;

  constructor(options: PaceOptions = {}) {
    const { share = 0.1, most = 32, now = () => performance.now(), pause = (ms) => delay(ms) } = options;
    this.#restPerMs = 1 / share - 1;
    this.#most = most;
    this.#now = now;
    this.#pause = pause;
  }

  /**
   * Makes an answer when it is its turn.
   *
   * @param question the same for the same answer
   * @throws Refusal 503 when too many wait
   */
  get<Answer>(question: string, make: () => Answer | Promise<Answer>): Promise<Answer> {
    const waiting = this.#waiting.get(question);
    if (waiting) return waiting as Promise<Answer>;
    if (this.#waiting.size >= this.#most) throw new Refusal(503, 'too many requests wait; try again');
    const answer = this.#last.then(async () => {
      const restMs = this.#restUntilMs - this.#now();
      if (restMs > 0) await this.#pause(restMs);
      this.#waiting.delete(question); // what changes from here on, who asks from here on must see
      const fromMs = this.#now();
      try {
        return await make();
      } finally {
        const toMs = this.#now();
        this.#restUntilMs = toMs + Math.min((toMs - fromMs) * this.#restPerMs, LONGEST_REST_MS);
      }
    });
    this.#waiting.set(question, answer);
    this.#last = answer.catch(() => {});
    return answer;
  }
}

/** Makes an answer at most so often: between, everybody gets the last one. */
export function atMostEvery<Answer>(intervalMs: number, make: () => Promise<Answer>): () => Promise<Answer> {
  let last: Promise<Answer> | undefined;
  let madeMs = Number.NEGATIVE_INFINITY;
  return () => {
    if (last && performance.now() - madeMs < intervalMs) return last;
    madeMs = performance.now();
    last = make();
    return last;
  };
}
