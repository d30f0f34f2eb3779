// The shards that a replica in a thread has in hand. Those asked for at once go as one message (shared/protocol.ts, ShardChannel).
import type { ShardJob } from '../../../shared/protocol.ts';
import type { ShardChannel } from '../../../shared/shard-channel.ts';
import type { Shard, ShardResult } from '../replica.ts';
import { toShardResult } from './outcomes.ts';
import type { ResultSlots } from './result-slots.ts';
import type { WaitingCalls } from './waiting-calls.ts';

export class ShardCalls {
  readonly #id: number;
  readonly #channel: ShardChannel;
  readonly #slots: ResultSlots;
  readonly #calls: WaitingCalls<unknown, undefined>;
  /** Asked for and not yet sent. */
  #unsent: ShardJob[] = [];
  #answered = 0;

  /** @param calls keeps the calls; its ordered ones are the shards alone */
  constructor(id: number, channel: ShardChannel, slots: ResultSlots, calls: WaitingCalls<unknown, undefined>) {
    this.#id = id;
    this.#channel = channel;
    this.#slots = slots;
    this.#calls = calls;
    channel.port.on('message', (outcomes: unknown) => {
      for (const outcome of Array.isArray(outcomes) ? outcomes : [outcomes]) {
        this.#answered += 1;
        calls.answer(outcome);
      }
    });
  }

  /** Shards that the replica has computed and not answered yet. */
  get computed(): number {
    return Math.max(0, Atomics.load(this.#channel.begun, 0) - 1 - this.#answered);
  }

  /** @throws GanglionError what the replica says is wrong with the shard, or why it is lost */
  compute(shard: Shard): Promise<ShardResult> {
    const { lost } = this.#calls;
    if (lost) return Promise.reject(lost);
    const { step, pass, shard: number, images, fault } = shard;
    const slot = this.#slots.take(pass);
    if (images) this.#channel.indices[slot.index]?.set(images);
    if (this.#unsent.length === 0) queueMicrotask(() => this.#send());
    const job = { step, pass, shard: number, slot: slot.index };
    this.#unsent.push(fault ? { ...job, fault } : job);
    return this.#calls.keep({
      expected: undefined,
      read: (outcome) => toShardResult(this.#id, shard, slot, outcome),
      release: slot.release,
    });
  }

  /** Ends the channel of a replica that is lost. */
  close(): void {
    this.#channel.port.close();
  }

  #send(): void {
    const jobs = this.#unsent;
    this.#unsent = [];
    if (!this.#calls.lost) this.#channel.port.postMessage(jobs);
  }
}
