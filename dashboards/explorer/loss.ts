// The loss of something that others wait for: a graphics processor may be taken away while it draws.

/** Happens once, or never. */
export class Loss {
  #error: Error | undefined;
  readonly #waiting = new Set<(error: Error) => void>();

  happened(error: Error): void {
    this.#error ??= error;
    for (const reject of this.#waiting) reject(this.#error);
    this.#waiting.clear();
  }

  /**
   * What the work gives, unless the loss comes first. (`Promise.race` with a promise that may stay pending keeps every result.)
   *
   * @throws Error of the loss, or of the work
   */
  unless<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      work.finally(() => this.#waiting.delete(reject)).then(resolve, reject);
      if (this.#error) reject(this.#error);
    });
  }
}
