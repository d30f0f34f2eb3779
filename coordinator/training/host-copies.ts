// Copies of a state on a device that come to the host every so many steps, beside the training, so that a lost device costs few.
import type { DeviceCopies } from '../../shared/device-memory.ts';
import { countersOf, NETS, type NetCounters, type NetState, type TrainingState } from './state.ts';

/** The host's copy of the state is at most so many steps old. */
export const HOST_COPY_STEPS = 100;
/** Steps after which the next copy is begun: it arrives while training goes on. */
const NEXT_COPY_STEPS = HOST_COPY_STEPS / 2;

/** Numbers of a state that are no arrays. */
export type Counters = readonly (readonly [net: NetState, counters: NetCounters])[];

export const countersOfAll = (state: TrainingState): Counters =>
  NETS.map((net) => [state[net], countersOf(state[net])]);

/** A copy of the state on the host. */
interface HostCopy {
  readonly step: number;
  readonly counters: Counters;
  /** In the order of the places; undefined where the host's arrays are it. */
  readonly values?: readonly Float32Array[];
}

export class HostCopies {
  readonly #state: TrainingState;
  readonly #copies: DeviceCopies;
  /** The copy that is under way. */
  #begun: HostCopy | undefined;
  #newest: HostCopy;

  /** @param copies of the vectors of the state */
  constructor(state: TrainingState, copies: DeviceCopies) {
    this.#state = state;
    this.#copies = copies;
    this.#newest = this.#now();
  }

  /** The newest copy that is there. */
  get newest(): HostCopy {
    return this.#newest;
  }

  /** The host's arrays are the state. */
  restart(): void {
    this.#newest = this.#now();
    this.#begun = undefined; // older
  }

  /** Steps after this one have not been. */
  undo(step: number): void {
    if (this.#begun && this.#begun.step > step) this.#begun = undefined;
  }

  /** To be called after every whole step. */
  noteStep(): void {
    const age = this.#state.step - this.#newest.step;
    const begun = this.#begun;
    if (begun) {
      const values = this.#copies.take(age >= HOST_COPY_STEPS);
      if (!values) return;
      this.#newest = { ...begun, values };
      this.#begun = undefined;
    } else if (age >= NEXT_COPY_STEPS) {
      this.#copies.begin();
      this.#begun = this.#now();
    }
  }

  #now(): HostCopy {
    return { step: this.#state.step, counters: countersOfAll(this.#state) };
  }
}
