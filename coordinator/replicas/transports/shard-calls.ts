// The shards that a replica in a thread has in hand. Those asked for at once go as one message (shared/protocol.ts, ShardChannel).
import { GanglionError } from '../../../shared/error.ts';
import { describeShard, type ShardChannel, type ShardJob, type ShardOutcome } from '../../../shared/protocol.ts';
import type { Shard, ShardResult } from '../replica.ts';
import type { ResultSlot, ResultSlots } from './result-slots.ts';

/** A shard without an answer. */
interface Waiting {
  readonly shard: Shard;
  readonly slot: ResultSlot;
  readonly resolve: (result: ShardResult) => void;
  readonly reject: (error: GanglionError) => void;
}

const isNumber = (value: unknown): value is number => typeof value === 'number';

/** Whether this is what a replica answers. Not by zod, which takes a hundred times as long: shards are answered all the time. */
function isShardOutcome(got: unknown): got is ShardOutcome {
  if (typeof got !== 'object' || got === null || !('ok' in got)) return false;
  const outcome = got as Partial<Record<string, unknown>>;
  if (outcome.ok === false) {
    const error = outcome.error as Partial<Record<string, unknown>> | null | undefined;
    return typeof error?.code === 'string' && typeof error.message === 'string' && typeof error.place === 'object';
  }
  const seconds = outcome.seconds as Partial<Record<string, unknown>> | null | undefined;
  const isWhole = isNumber(outcome.step) && typeof outcome.pass === 'string' && isNumber(outcome.shard);
  if (outcome.ok !== true || !isWhole || !isNumber(outcome.tensors)) return false;
  return isNumber(seconds?.start) && isNumber(seconds.prepare) && isNumber(seconds.compute) && isNumber(seconds.copy);
}

function isOf({ step, pass, shard }: Shard, outcome: Extract<ShardOutcome, { readonly ok: true }>): boolean {
  return outcome.step === step && outcome.pass === pass && outcome.shard === shard;
}

export class ShardCalls {
  readonly #id: number;
  readonly #channel: ShardChannel;
  readonly #slots: ResultSlots;
  /** In the order of the calls, which is that of the answers. */
  readonly #waiting: Waiting[] = [];
  /** Asked for and not yet sent. */
  #unsent: ShardJob[] = [];
  #answered = 0;
  #lost: GanglionError | undefined;

  constructor(id: number, channel: ShardChannel, slots: ResultSlots) {
    this.#id = id;
    this.#channel = channel;
    this.#slots = slots;
    channel.port.on('message', (outcomes: unknown) => this.#settle(outcomes));
  }

  /** Shards that the replica has computed and not answered yet. */
  get computed(): number {
    return Math.max(0, Atomics.load(this.#channel.begun, 0) - 1 - this.#answered);
  }

  /** @throws GanglionError what the replica says is wrong with the shard, or why it is lost */
  compute(shard: Shard): Promise<ShardResult> {
    if (this.#lost) return Promise.reject(this.#lost);
    const { step, pass, shard: number, images, fault } = shard;
    const slot = this.#slots.take(pass);
    if (images) this.#channel.indices[slot.index]?.set(images);
    if (this.#unsent.length === 0) queueMicrotask(() => this.#send());
    const job = { step, pass, shard: number, slot: slot.index };
    this.#unsent.push(fault ? { ...job, fault } : job);
    return new Promise((resolve, reject) => this.#waiting.push({ shard, slot, resolve, reject }));
  }

  /** The replica answers no more: rejects all calls, now and from now on, that which it was at first. */
  lose(error: GanglionError): void {
    this.#lost = error;
    for (const { slot, reject } of [...this.#waiting.splice(this.computed, 1), ...this.#waiting.splice(0)]) {
      slot.release();
      reject(error);
    }
    this.#channel.port.close();
  }

  #send(): void {
    const jobs = this.#unsent;
    this.#unsent = [];
    if (!this.#lost) this.#channel.port.postMessage(jobs);
  }

  #settle(outcomes: unknown): void {
    for (const outcome of Array.isArray(outcomes) ? outcomes : [outcomes]) {
      const waiting = this.#waiting.shift();
      if (!waiting) return; // lost meanwhile
      this.#answered += 1;
      this.#answer(waiting, outcome);
    }
  }

  #answer({ shard, slot, resolve, reject }: Waiting, outcome: unknown): void {
    const isAnswer = isShardOutcome(outcome);
    if (isAnswer && outcome.ok && isOf(shard, outcome)) {
      const { seconds, tensors } = outcome;
      resolve({ values: slot.values, seconds, tensors, release: slot.release });
      return;
    }
    slot.release();
    if (isAnswer && !outcome.ok) reject(GanglionError.fromPlain(outcome.error));
    else {
      const message = `replica ${this.#id} gave a malformed answer: expected one to ${describeShard(shard)}, got ${JSON.stringify(outcome)}`;
      reject(new GanglionError('replica', message, { place: { replica: this.#id }, reason: 'frame' }));
    }
  }
}
