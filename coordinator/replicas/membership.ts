// Which replicas a group has: starts them, replaces the lost, ends those that are no longer wanted. It knows no shards. Each member goes
// through the states of member-state.ts.
import { ARITHMETIC } from '../../shared/arithmetic.ts';
import { GanglionError } from '../../shared/error.ts';
import { type MemberEvent, type MemberState, transition } from './member-state.ts';
import type { Replica, StartReplica } from './replica.ts';
import { toFault } from './replica-fault.ts';
import type { RestartPolicy } from './restart-policy.ts';

/** So long the end of a group waits for a start under way, which may never end: then it is abandoned. */
const STARTING_MS = 5_000;

/** What membership keeps of a member. */
export interface Life {
  readonly id: number;
  /** Whether a page lends it: such a member comes and goes by itself, and nobody replaces it. */
  readonly isPage: boolean;
  state: MemberState;
  /** There while `ready` or `draining`; a start that drains has none. */
  replica: Replica | undefined;
  restarts: number;
  /** Losses since its replica last gave an answer: the user of a member resets them. */
  failures: number;
}

export interface MembershipOptions<Member extends Life> {
  readonly count: number;
  /** A member that waits for its first start. */
  readonly create: (id: number) => Member;
  readonly start: StartReplica;
  readonly policy: RestartPolicy;
  /** Whether a member has work in hand, which it finishes before it ends. */
  readonly isBusy: (member: Member) => boolean;
  /** A replica is lost, or did not start. Called before it is replaced. */
  readonly onLost: (member: Member, fault: GanglionError) => void;
  /** Members changed: work may be handed out anew. */
  readonly onChange: () => void;
  /** A lost replica has been replaced. */
  readonly onRestarted: (id: number) => void;
  /** Too many replicas were lost. */
  readonly onGiveUp: (error: unknown) => void;
}

export class Membership<Member extends Life> {
  readonly #options: MembershipOptions<Member>;
  #members: readonly Member[];
  /** The end of the newest start. Replicas start one after another, so that a start is not slowed down by others. */
  #starting: Promise<void> = Promise.resolve();
  readonly #delays = new Set<NodeJS.Timeout>();
  readonly #ending = new Set<Promise<void>>();
  readonly #abandon = new AbortController();
  #restarts = 0;
  #closed = false;
  /** Backend and version of the first replica that started. */
  #computing: string | undefined;

  constructor(options: MembershipOptions<Member>) {
    this.#options = options;
    this.#members = Array.from({ length: options.count }, (_, id) => options.create(id));
  }

  /** In the order of their numbers; without those that are gone, until the group stops. */
  get members(): readonly Member[] {
    return this.#members;
  }

  /** Target number of replicas, without those of pages. */
  get size(): number {
    return this.#members.filter(({ state, isPage }) => state !== 'draining' && !isPage).length;
  }

  /** Restarts of all replicas. */
  get restarts(): number {
    return this.#restarts;
  }

  /**
   * Starts all replicas, one after another.
   *
   * @throws GanglionError when one does not start, without a second attempt
   */
  async start(): Promise<void> {
    const started = (async () => {
      for (const member of this.#members) await this.#start(member);
    })();
    this.#starting = started.catch(() => {});
    await started;
  }

  /**
   * Takes in a replica that a page lends.
   *
   * @param member waits for its start
   * @throws GanglionError where its bits would be others, or nothing is computed any more; it is not stopped then
   */
  join(member: Member, replica: Replica): void {
    if (this.#closed) throw new GanglionError('replica', 'the run has ended');
    this.#checkBits(replica);
    this.#members = [...this.#members, member].toSorted((a, b) => a.id - b.id);
    this.#move(member, 'begin');
    member.replica = replica;
    this.#move(member, 'started');
    this.#options.onChange();
  }

  /**
   * Replaces a replica that failed; one that drains, or that a page has lent, is not replaced. Does nothing after {@link close}.
   */
  lose(member: Member, fault: GanglionError): void {
    if (this.#closed) return;
    this.#options.onLost(member, fault);
    const { replica } = member;
    member.replica = undefined;
    const ended = this.#end(replica, fault);
    if (this.#move(member, 'fail') === 'lost') {
      if (member.isPage) this.#move(member, 'drain');
      else this.#replace(member, ended, fault);
    }
    this.#options.onChange();
  }

  /** Starts more replicas, or drains those of the highest numbers. */
  resize(count: number): void {
    if (this.#closed) return;
    const staying = this.#members.filter(({ state, isPage }) => state !== 'draining' && !isPage);
    for (const member of staying.slice(count)) {
      this.#move(member, 'drain');
      this.endIfDrained(member);
    }
    const taken = new Set(this.#members.map(({ id }) => id));
    for (let id = 0, missing = count - staying.length; missing > 0; id++) {
      if (taken.has(id)) continue;
      missing -= 1;
      const member = this.#options.create(id);
      this.#members = [...this.#members, member].toSorted((a, b) => a.id - b.id);
      this.#startLater(member, 0);
    }
    this.#options.onChange();
  }

  /** Ends a replica that drains and has nothing left to do. To be called whenever it has finished some work. */
  endIfDrained(member: Member): void {
    if (member.state !== 'draining' || !member.replica || this.#options.isBusy(member)) return;
    const { replica } = member;
    member.replica = undefined;
    this.#move(member, 'finish');
    void this.#end(replica);
  }

  /** From now on starts and replaces no replica. */
  close(): void {
    this.#closed = true;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Ends all replicas; waits for the start under way, not for long. */
  async stop(): Promise<void> {
    this.close();
    for (const delay of this.#delays) clearTimeout(delay);
    const abandon = setTimeout(() => this.#abandon.abort(), STARTING_MS);
    await this.#starting;
    clearTimeout(abandon);
    for (const member of this.#members) {
      if (member.state === 'gone') continue;
      member.state = transition(member.state, 'stop'); // stays in the list, for the status
      void this.#end(member.replica);
      member.replica = undefined;
    }
    await Promise.all(this.#ending);
  }

  #move(member: Member, event: MemberEvent): MemberState {
    member.state = transition(member.state, event);
    if (member.state === 'gone') this.#members = this.#members.filter((other) => other !== member);
    return member.state;
  }

  /** Ends a replica; {@link stop} waits for it. */
  #end(replica: Replica | undefined, why?: GanglionError): Promise<void> {
    if (!replica) return Promise.resolve();
    const ended = replica.stop(why);
    this.#ending.add(ended);
    return ended.finally(() => this.#ending.delete(ended));
  }

  /** Puts a new replica in the place of one that is lost and `ended`. */
  #replace(member: Member, ended: Promise<void>, { message, reason }: GanglionError): void {
    member.failures += 1;
    member.restarts += 1;
    this.#restarts += 1;
    try {
      this.#options.policy.lost(message);
    } catch (error) {
      this.#options.onGiveUp(error);
      return;
    }
    const restart = (): void => {
      if (member.state !== 'lost') return; // no longer wanted
      this.#move(member, 'ended');
      this.#startLater(member, this.#options.policy.delayMs(member.failures));
    };
    // A replica that gives no answer may not end either: its end is not waited for.
    if (reason === 'deadline') restart();
    else void ended.then(restart);
  }

  /** Starts a replica after a delay, when the starts before have ended; a failure counts as a loss. */
  #startLater(member: Member, delayMs: number): void {
    if (this.#closed) return;
    const delay = setTimeout(() => {
      this.#delays.delete(delay);
      this.#starting = this.#starting
        .then(() => this.#start(member))
        .catch((error) => this.#failedToStart(member, error));
    }, delayMs);
    this.#delays.add(delay);
  }

  #failedToStart(member: Member, error: unknown): void {
    if (this.#closed) return;
    const fault = toFault(error, member.id);
    this.#options.onLost(member, fault);
    this.#replace(member, Promise.resolve(), fault);
    this.#options.onChange();
  }

  /** @throws GanglionError when a replica that is still wanted does not start: it is `lost` then */
  async #start(member: Member): Promise<void> {
    if (this.#closed || member.state !== 'waiting') return; // no longer wanted
    this.#move(member, 'begin');
    try {
      member.replica = await this.#check(await this.#options.start(member.id, this.#abandon.signal));
    } catch (error) {
      if (this.#move(member, 'fail') === 'gone') return;
      throw error;
    }
    const state = this.#move(member, 'started');
    this.endIfDrained(member);
    if (this.#closed || state !== 'ready') return;
    if (member.restarts > 0) this.#options.onRestarted(member.id);
    this.#options.onChange();
  }

  async #check(replica: Replica): Promise<Replica> {
    try {
      this.#checkBits(replica);
      return replica;
    } catch (error) {
      await this.#end(replica);
      throw error;
    }
  }

  /** Refuses a replica whose bits would be others: by another arithmetic than this Ganglion's, or an engine that is not the first one's. */
  #checkBits(replica: Replica): void {
    const { engine, libraryVersion, arithmetic } = replica.ready;
    const computing = arithmetic === undefined ? `${engine} ${libraryVersion}` : `arithmetic ${arithmetic}`;
    this.#computing ??= arithmetic === undefined ? computing : `arithmetic ${ARITHMETIC}`;
    if (computing === this.#computing) return;
    const message = `replica ${replica.id} computes on ${computing}, expected ${this.#computing}, as the others`;
    throw new GanglionError('environment', message, { place: { replica: replica.id }, reason: 'error' });
  }
}
