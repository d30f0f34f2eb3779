// One sum over several nodes, and what becomes of it when a node is lost: those that are left compute its shards and add up again, so the
// sum has the same bits. Every node keeps its own part until the next phase begins, and every sum counts the shards that are in it.
import { GanglionError } from '../../shared/error.ts';
import type { Phase } from '../../shared/model/layout.ts';
import type { Communicator } from './communicator.ts';
import { NOTE_LENGTH, Notes, type NotesOptions } from './notes.ts';
import type { OnSpan } from './span.ts';

/** Numbers behind a vector, which the nodes add up with it. */
const SLOTS = ['bad', 'done', 'wishes', 'failures', 'failed'] as const;
type Slot = (typeof SLOTS)[number];

/** What was computed for a phase. */
export interface ShardCount {
  /** Results, over all passes, those of bad shards among them. */
  readonly done: number;
  /** Shards that are bad. */
  readonly bad: number;
}

/** What was computed on all nodes, and how long it took to add it up. */
export interface Reduced extends ShardCount {
  /** Milliseconds: the wait for the slowest node, and the sum. */
  readonly reduceMs: number;
}

/** A sum over nodes. */
export interface NodeSum {
  /** Vector of this node; behind it there is room. */
  readonly own: Float64Array;
  /** Vector of all nodes, as long. */
  readonly total: Float64Array;
}

export interface ExchangeOptions extends Pick<NotesOptions, 'tell' | 'onTold'> {
  readonly communicator: Communicator;
  /** Shards a step. */
  readonly shards: number;
  /** Whether this node wants to stop. */
  readonly shouldStop: () => boolean;
  /** Receives the numbers of nodes that are lost. */
  readonly onLost?: ((nodes: readonly number[]) => void) | undefined;
  readonly span?: OnSpan | undefined;
}

/** Why a node ends that another one says: it says nothing itself. */
export class EndedElsewhere extends GanglionError {}

interface Reduction {
  readonly phase: Phase;
  readonly sum: NodeSum;
}

/** Shards go round the members. @returns for every shard the number of its node */
function deal(shards: number, members: readonly number[]): number[] {
  return Array.from({ length: shards }, (_, i) => members[i % members.length] as number);
}

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #communicator: Communicator;
  readonly #notes: Notes;
  /** Number of the node of every shard. */
  readonly #owners: number[];
  /** Passes that have begun and are in no sum yet. */
  #open: { readonly phase: Phase; readonly compute: (shards: readonly number[]) => Promise<void> }[] = [];
  /** Reductions done, of both phases. */
  #reductions = 0;
  /** The newest one. */
  #newest: NodeSum | undefined;
  #isStopAgreed = false;
  /** Whether the node that writes was lost: all end a step together, and another writes. */
  #isWriterLost = false;
  /** Why this node cannot go on. */
  #failure: unknown;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#communicator = options.communicator;
    this.#notes = new Notes({ node: options.communicator.node, tell: options.tell, onTold: options.onTold });
    this.#owners = deal(options.shards, options.communicator.members);
  }

  /** Shards of this node. */
  get own(): readonly number[] {
    return this.#shardsOf(this.#communicator.node);
  }

  /** Whether any node wanted to stop, or the one that writes was lost, when the newest step was ended. */
  get isStopAgreed(): boolean {
    return this.#isStopAgreed;
  }

  /** @param length of the vectors that are added */
  allocate(length: number): NodeSum {
    const allocate = () => this.#communicator.allocate(length + NOTE_LENGTH + SLOTS.length);
    return { own: allocate(), total: allocate() };
  }

  /** Computes a pass of this node's shards, and of those that it takes over until the phase has been added up. */
  compute(phase: Phase, compute: (shards: readonly number[]) => Promise<void>): Promise<void> {
    this.#open.push({ phase, compute });
    return compute(this.own);
  }

  /** This node cannot go on: the next sum tells the others. */
  fail(error: unknown): void {
    this.#failure ??= error;
  }

  /**
   * Adds up over all nodes.
   *
   * @param expected results that the sum must have
   * @param addUp brings what was computed into `own`, and counts it; called again after a loss
   * @throws GanglionError `nodes` when too many nodes are lost or the sum lacks a shard, `faults` when another node gave up; what made
   *   this node give up
   */
  async allReduce(phase: Phase, sum: NodeSum, expected: number, addUp: () => ShardCount): Promise<Reduced> {
    let beganMs: number | undefined;
    let reduceMs = 0;
    for (let isDone = false; !isDone; ) {
      this.#write(sum.own, addUp());
      const fromMs = performance.now();
      beganMs ??= fromMs;
      isDone = await this.#communicator.allReduceSum(sum.own, sum.total);
      reduceMs += performance.now() - fromMs;
      if (isDone) this.#close({ phase, sum });
      else isDone = await this.#recover({ phase, sum });
    }
    this.#options.span?.('reduce', beganMs ?? 0, performance.now());
    const read = (slot: Slot): number => sum.total.at(SLOTS.indexOf(slot) - SLOTS.length) as number;
    if (read('failures') > 0) throw this.#failure ?? gaveUp(read('failures'), read('failed'));
    if (read('done') !== expected) {
      const message = `the ${phase} phase's sum has ${read('done')} of ${expected} results; it was not used`;
      throw new GanglionError('nodes', message);
    }
    if (phase === 'generator') this.#isStopAgreed = read('wishes') > 0;
    return { bad: read('bad'), done: read('done'), reduceMs };
  }

  /** No further sum comes: waits until every node has the newest. @throws GanglionError `nodes` */
  async finish(): Promise<void> {
    this.#open = [];
    while (!(await this.#communicator.agree())) await this.#recover();
  }

  #write(own: Float64Array, { bad, done }: ShardCount): void {
    const { node } = this.#communicator;
    const hasFailed = this.#failure !== undefined;
    const values: Record<Slot, number> = {
      bad,
      done,
      wishes: this.#isWriterLost || this.#options.shouldStop() ? 1 : 0,
      failures: hasFailed ? 1 : 0,
      failed: hasFailed ? node : 0,
    };
    this.#notes.write(roomOf(own), this.#isOwnTurn);
    own.set(
      SLOTS.map((slot) => values[slot]),
      own.length - SLOTS.length,
    );
  }

  #close({ phase, sum }: Reduction): void {
    this.#open = this.#open.filter((pass) => pass.phase !== phase);
    this.#reductions += 1;
    this.#newest = sum;
    this.#notes.read(roomOf(sum.total));
  }

  /** The first node listens; the others take turns. */
  get #isOwnTurn(): boolean {
    const { node, members } = this.#communicator;
    const [, ...others] = members;
    return others[this.#reductions % others.length] === node;
  }

  /** @param pending what failed here @returns whether it is done nevertheless: another node had its sum */
  async #recover(pending?: Reduction): Promise<boolean> {
    const communicator = this.#communicator;
    const lost: number[] = [];
    let isDone = false;
    for (let isEven = false; !isEven; ) {
      const before = communicator.members;
      const { progress } = await communicator.recover(this.#reductions);
      const { members } = communicator;
      lost.push(...before.filter((node) => !members.includes(node)));
      checkQuorum(before, members);
      this.#isWriterLost ||= members[0] !== before[0];
      // They differ by one at most: who has the newest sum gives it to the others. It has what the lost have computed.
      const most = Math.max(...progress);
      isEven = progress.every((reductions) => reductions === most);
      if (isEven) break;
      const isBehind = this.#reductions < most;
      const sum = isBehind ? pending?.sum : this.#newest;
      if (!sum) throw new Error('a node without a sum');
      const { buffer, byteOffset, byteLength } = sum.total;
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      isEven = await communicator.broadcast(bytes, members[progress.indexOf(most)] as number);
      if (isEven && isBehind && pending) {
        this.#close(pending);
        isDone = true;
      }
    }
    this.#notes.forget(lost);
    this.#options.onLost?.(lost);
    await this.#takeOver(lost).catch((error: unknown) => this.fail(error));
    return isDone;
  }

  /** Deals the shards of lost nodes, and computes this node's part of them for every pass that is in no sum. */
  async #takeOver(lost: readonly number[]): Promise<void> {
    const { node, members } = this.#communicator;
    const orphans = lost.flatMap((gone) => this.#shardsOf(gone)).sort((a, b) => a - b);
    const owners = deal(orphans.length, members);
    for (const [i, shard] of orphans.entries()) this.#owners[shard] = owners[i] as number;
    const mine = orphans.filter((_, i) => owners[i] === node);
    await Promise.all(this.#open.map(({ compute }) => compute(mine)));
  }

  #shardsOf(node: number): number[] {
    return this.#owners.flatMap((owner, shard) => (owner === node ? [shard] : []));
  }
}

/** Where notes lie in a vector. */
function roomOf(vector: Float64Array): Float64Array {
  const end = vector.length - SLOTS.length;
  return vector.subarray(end - NOTE_LENGTH, end);
}

/**
 * Of a group that falls apart, as by a cut link, one part at most may go on.
 *
 * @throws GanglionError `nodes` when `after` is not more than half of `before`, nor the half with the lowest number
 */
export function checkQuorum(before: readonly number[], after: readonly number[]): void {
  const isHalf = 2 * after.length === before.length && after[0] === before[0];
  if (2 * after.length > before.length || isHalf) return;
  const lost = before.filter((node) => !after.includes(node));
  const message = `lost ${lost.length} of ${before.length} nodes (${lost.join(', ')}); expected more than half to be left, or half with node ${before[0]}`;
  throw new GanglionError('nodes', message);
}

function gaveUp(failures: number, failed: number): EndedElsewhere {
  return new EndedElsewhere('faults', `${failures === 1 ? `node ${failed}` : `${failures} nodes`} gave up`);
}
