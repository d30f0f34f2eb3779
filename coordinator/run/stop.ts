// Ends a run in order: whoever asks first is noted, and training ends after the step under way.

/** Tells whether an end was asked for. */
export class StopSwitch {
  #requestedBy: string | undefined;
  readonly #listeners = new Set<(who: string) => void>();

  get requested(): boolean {
    return this.#requestedBy !== undefined;
  }

  /** Asks for an end; does nothing when one was asked for. @param who asks, for people to read */
  request(who: string): void {
    if (this.#requestedBy !== undefined) return;
    this.#requestedBy = who;
    for (const listener of this.#listeners) listener(who);
  }

  /** @param listener receives who asks, once */
  onRequest(listener: (who: string) => void): void {
    this.#listeners.add(listener);
  }
}
