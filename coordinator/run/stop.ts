// Stops a run in order: the first request is noted, and training ends after the current step.

/** Whether a stop was requested. */
export class StopSwitch {
  #requestedBy: string | undefined;
  readonly #listeners = new Set<(who: string) => void>();

  get requested(): boolean {
    return this.#requestedBy !== undefined;
  }

  /** Requests a stop; a second request does nothing. @param who requests it, for people to read */
  request(who: string): void {
    if (this.#requestedBy !== undefined) return;
    this.#requestedBy = who;
    for (const listener of this.#listeners) listener(who);
  }

  /** Resolves once a stop is requested, or was. */
  readonly whenRequested = new Promise<void>((resolve) => this.onRequest(() => resolve()));

  /** @param listener receives who asks, once */
  onRequest(listener: (who: string) => void): void {
    this.#listeners.add(listener);
  }
}
