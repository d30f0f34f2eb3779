// What waits to be drawn: one image after another, what a person looks at first, and only the newest wish of each place.
import type { Generator } from './generator.ts';

/** Where images go on the page, the most urgent first. */
const PLACES = ['digit', 'asked', 'gallery', 'path', 'map'] as const;
type Place = (typeof PLACES)[number];
/** After so long the page may answer to what was clicked meanwhile. */
const TURN_MS = 10;

interface Order {
  readonly noises: readonly Float32Array[];
  readonly onImage: (image: Float32Array, at: number) => void;
  readonly onEnd: (complete: boolean) => void;
  done: number;
}

export class Drawing {
  #generator: Generator | undefined;
  #work: Promise<void> | undefined;
  readonly #orders = new Map<Place, Order>();
  readonly #onFailure: (error: unknown) => void;

  /** @param onFailure told when the generator cannot go on; nothing is drawn then */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** Draws what waits, and from now on what is ordered. */
  start(generator: Generator): void {
    this.#generator = generator;
    this.#go();
  }

  /** Replaces what the place has ordered before. @returns whether all was drawn, rather than replaced */
  order(place: Place, noises: readonly Float32Array[], onImage: Order['onImage']): Promise<boolean> {
    this.#orders.get(place)?.onEnd(false);
    return new Promise((onEnd) => {
      this.#orders.set(place, { noises, onImage, onEnd, done: 0 });
      this.#go();
    });
  }

  #go(): void {
    this.#work ??= this.#run().finally(() => {
      this.#work = undefined;
      // What was ordered between the last look and now.
      if (this.#generator && this.#next()) this.#go();
    });
  }

  async #run(): Promise<void> {
    // What comes in one turn of the page, such as three orders, is seen as a whole.
    await Promise.resolve();
    let began = performance.now();
    for (let place = this.#next(); this.#generator && place; place = this.#next()) {
      const order = this.#orders.get(place) as Order;
      const noise = order.noises[order.done];
      let image: Float32Array | undefined;
      try {
        image = noise && (await this.#generator.draw(noise));
      } catch (error) {
        this.#generator = undefined;
        this.#onFailure(error);
        return;
      }
      if (this.#orders.get(place) === order) this.#deliver(place, order, image);
      if (performance.now() - began < TURN_MS) continue;
      await new Promise((resolve) => setTimeout(resolve));
      began = performance.now();
    }
  }

  #deliver(place: Place, order: Order, image: Float32Array | undefined): void {
    if (image) order.onImage(image, order.done++);
    if (order.done < order.noises.length) return;
    this.#orders.delete(place);
    order.onEnd(true);
  }

  #next(): Place | undefined {
    return PLACES.find((place) => this.#orders.has(place));
  }
}
