// The shards that a replica in a thread has in hand. Those asked for at once go as one message (shared/protocol.ts, ShardChannel).
import type { ShardBegun, ShardJob } from '../../../shared/protocol.ts';
import type { ShardChannel } from '../../../shared/shard-channel.ts';
import type { BegunResult, Shard, ShardResult } from '../replica.ts';
import { toShardResult } from './outcomes.ts';
import type { ResultSlot, ResultSlots } from './result-slots.ts';
import type { WaitingCalls } from './waiting-calls.ts';

export class ShardCalls {
  readonly #id: number;
  readonly #channel: ShardChannel;
  readonly #slots: ResultSlots;
  readonly #calls: WaitingCalls<unknown, undefined>;
  /** Asked for and not yet sent. */
  #unsent: ShardJob[] = [];
  #answered = 0;
  /** Of shards that may be on their way before their answer: who is told, by pass and slot. */
  readonly #toBegin = new Map<string, (mark: number) => void>();

  /** @param calls keeps the calls; its ordered ones are the shards alone */
  constructor(id: number, channel: ShardChannel, slots: ResultSlots, calls: WaitingCalls<unknown, undefined>) {
    this.#id = id;
    this.#channel = channel;
    this.#slots = slots;
    this.#calls = calls;
    channel.port.on('message', (outcomes: unknown) => {
      for (const outcome of Array.isArray(outcomes) ? outcomes : [outcomes]) {
        if (isBegun(outcome)) this.#toBegin.get(keyOf(outcome.pass, outcome.slot))?.(outcome.mark);
        else {
          this.#answered += 1;
          calls.answer(outcome);
        }
      }
    });
  }

  /** Shards that the replica has computed and not answered yet. */
  get computed(): number {
    return Math.max(0, Atomics.load(this.#channel.begun, 0) - 1 - this.#answered);
  }

  /** @throws GanglionError what the replica says is wrong with the shard, or why it is lost */
  compute(shard: Shard, onBegun?: (result: BegunResult) => void): Promise<ShardResult> {
    const { lost } = this.#calls;
    if (lost) return Promise.reject(lost);
    const { step, pass, shard: number, images, fault, after, ahead } = shard;
    const slot = ahead && onBegun ? this.#takeAhead(pass, onBegun) : this.#slots.take(pass);
    if (images) this.#channel.indices[slot.index]?.set(images);
    if (this.#unsent.length === 0) queueMicrotask(() => this.#send());
    // Field by field: V8 is slow with an object that begins with `...`.
    const place = slot.index;
    if (after) this.#unsent.push({ step, pass, shard: number, slot: place, fault, after, ahead });
    else this.#unsent.push({ step, pass, shard: number, slot: place, fault });
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

  /** A slot whose result may be given before the answer: it is given back once, by the one or the other. */
  #takeAhead(pass: ShardJob['pass'], onBegun: (result: BegunResult) => void): ResultSlot {
    const { index, values, release } = this.#slots.take(pass);
    const key = keyOf(pass, index);
    let isGiven = false;
    this.#toBegin.set(key, (mark) => {
      this.#toBegin.delete(key);
      isGiven = true;
      onBegun({ values, mark, release });
    });
    return {
      index,
      values,
      release: () => {
        if (isGiven) return; // another call may have the slot by now
        this.#toBegin.delete(key);
        release();
      },
    };
  }

  #send(): void {
    const jobs = this.#unsent;
    this.#unsent = [];
    if (!this.#calls.lost) this.#channel.port.postMessage(jobs);
  }
}

const keyOf = (pass: string, slot: number): string => `${pass} ${slot}`;

function isBegun(outcome: unknown): outcome is ShardBegun {
  return typeof outcome === 'object' && outcome !== null && 'mark' in outcome;
}
