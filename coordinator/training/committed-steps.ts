// The newest steps that were committed. Those that are computed again, because a device was lost with the state, are held to them and not
// committed twice.
import { GanglionError } from '../../shared/error.ts';
import { PHASES } from '../../shared/model/layout.ts';
import { HOST_COPY_STEPS } from './host-copies.ts';
import type { StepRecord } from './trainer.ts';

/** The newest copy of the state may be of the step before the last one that was due. */
const KEPT = HOST_COPY_STEPS + 2;
const FIGURES = ['lossReal', 'lossFake', 'outputReal', 'outputFake', 'gradientNorm'] as const;

export class CommittedSteps {
  readonly #figures = new Map<number, ReadonlyMap<string, number>>();
  #newest = 0;

  /** Number of the newest step; 0 before the first. */
  get newest(): number {
    return this.#newest;
  }

  add(record: StepRecord): void {
    this.#newest = record.step;
    this.#figures.set(record.step, figuresOf(record));
    this.#figures.delete(record.step - KEPT);
  }

  /**
   * Whether the step was committed before.
   *
   * @throws GanglionError `faults` when it has other figures now: one of the two computations is wrong
   */
  has(record: StepRecord): boolean {
    if (record.step > this.#newest) return false;
    const before = this.#figures.get(record.step);
    for (const [name, value] of figuresOf(record)) {
      const other = before?.get(name);
      if (other === undefined || Object.is(value, other)) continue;
      const message = `step ${record.step}, computed again, has ${name} ${value}, the device that is lost gave ${other}: one of them computed wrongly`;
      throw new GanglionError('faults', message);
    }
    return true;
  }
}

/** Numbers that depend on nothing but the step. */
function figuresOf(record: StepRecord): ReadonlyMap<string, number> {
  return new Map(PHASES.flatMap((phase) => FIGURES.map((name) => [`${phase} ${name}`, record[phase][name]])));
}
