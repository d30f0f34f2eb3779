// @ts-check
// A list that grows on the coordinator, and is asked for whole whenever its newest entry is another: none is missed, however
// seldom the coordinator says which one it is.

/** @template T */
export class Newest {
  #get;
  #show;
  /** Step of the newest entry that is shown; undefined: nothing is. @type {number | null | undefined} */
  #shown;
  /** Step of the newest entry there is. @type {number | null} */
  #wanted = null;
  #asking = false;

  /**
   * @param {() => Promise<T>} get asks for the list
   * @param {(list: T) => void} show
   */
  constructor(get, show) {
    this.#get = get;
    this.#show = show;
  }

  /** What is shown is void: the list is asked for again, even where its newest entry is the same. */
  forget() {
    this.#shown = undefined;
  }

  /** One question at a time; what fails is asked for again with the next step. @param {number | null} step of the newest entry */
  async follow(step) {
    this.#wanted = step;
    if (this.#asking) return;
    this.#asking = true;
    try {
      while (this.#shown !== this.#wanted) {
        this.#shown = this.#wanted;
        const list = await this.#get().catch(() => undefined);
        if (list === undefined) return this.forget();
        this.#show(list);
      }
    } finally {
      this.#asking = false;
    }
  }
}
