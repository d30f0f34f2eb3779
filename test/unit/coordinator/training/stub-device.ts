// A device for tests of what happens when it is lost: memory that nothing is read from.
import type { UpdateDevice } from '../../../../shared/device-memory.ts';

export class StubDevice implements UpdateDevice {
  /** Whether every call fails. */
  isLost = false;

  readonly gpu = 0;

  #call(): void {
    if (this.isLost) throw new Error('launch failed');
  }

  allocate(length: number) {
    this.#call();
    return { address: 256, length };
  }

  hold(): undefined {
    this.#call();
  }

  write(): void {
    this.#call();
  }

  /** Questions that are answered by no, before one that is answered by yes. */
  late = 0;

  ask() {
    return () => {
      this.#call();
      return this.late-- <= 0;
    };
  }

  isStuck(): boolean {
    return false;
  }

  read(): Float32Array[] {
    this.#call();
    return [];
  }

  createCopies() {
    const begin = (): void => this.#call();
    return { begin, take: () => undefined };
  }

  copy(): void {
    this.#call();
  }

  moveAverage(): void {
    this.#call();
  }

  mark(): number {
    this.#call();
    return 1;
  }

  waitFor(): void {
    this.#call();
  }

  resume(): void {
    this.#call();
  }

  createUpdate() {
    this.#call();
    const nothing = (): void => this.#call();
    const report = () => () => ({ norm: 0, numbers: new Float64Array(), halted: false });
    return { addRounded: nothing, applyAdam: nothing, track: nothing, report };
  }
}
