// Digits of a seed, as `ganglion sample` numbers them, so that one can be found again.
import { byId } from '../live/format.js';
import type { Drawing } from './drawing.ts';
import { noiseOf } from './latent.ts';
import { newCanvas, paint, saveGrid } from './pictures.ts';

/** Digits shown at once. */
const COUNT = 24;
/** Seeds that the page picks are short enough to be typed. */
const PICKED_SEEDS = 1_000_000;

/** A digit of a seed. */
export interface Drawn {
  readonly seed: number;
  readonly image: number;
  readonly z: Float32Array;
}

export class Gallery {
  readonly #drawing: Drawing;
  readonly #latent: number;
  readonly #tiles: { readonly button: HTMLButtonElement; readonly canvas: HTMLCanvasElement }[];
  readonly #seedInput = byId('seed', HTMLInputElement);
  readonly #firstInput = byId('first', HTMLInputElement);
  readonly #earlier = byId('earlier', HTMLButtonElement);
  readonly #saveAll = byId('save-all', HTMLButtonElement);
  #seed = 1;
  #first = 0;
  #images: Float32Array[] = [];

  /** @param onPick told the digit that a person wants to see */
  constructor(drawing: Drawing, latent: number, onPick: (digit: Drawn) => void) {
    this.#drawing = drawing;
    this.#latent = latent;
    this.#tiles = Array.from({ length: COUNT }, (_, i) => {
      const button = document.createElement('button');
      const canvas = newCanvas();
      button.type = 'button';
      button.className = 'tile';
      button.append(canvas);
      button.addEventListener('click', () => onPick(this.digit(i)));
      return { button, canvas };
    });
    byId('tiles', HTMLElement).append(...this.#tiles.map(({ button }) => button));
    byId('new', HTMLElement).addEventListener('click', () => {
      this.#go(Math.floor(Math.random() * PICKED_SEEDS), 0);
      onPick(this.digit(0));
    });
    this.#earlier.addEventListener('click', () => this.#go(this.#seed, Math.max(0, this.#first - COUNT)));
    byId('later', HTMLElement).addEventListener('click', () => this.#go(this.#seed, this.#first + COUNT));
    for (const input of [this.#seedInput, this.#firstInput]) {
      input.addEventListener('change', () => {
        input.setAttribute('aria-invalid', String(!isValid(input)));
        if (isValid(this.#seedInput) && isValid(this.#firstInput)) {
          this.#go(this.#seedInput.valueAsNumber, this.#firstInput.valueAsNumber);
        } else {
          byId('gallery-text', HTMLElement).textContent = `Expected a whole number from 0 to ${input.max}.`;
        }
      });
    }
    this.#saveAll.addEventListener('click', () => {
      const name = `seed-${this.#seed}-images-${this.#first}-${this.#first + COUNT - 1}.png`;
      void saveGrid(this.#images, name);
    });
  }

  /** The digit at a place of the gallery. */
  digit(at: number): Drawn {
    const image = this.#first + at;
    return { seed: this.#seed, image, z: noiseOf(this.#seed, image, this.#latent) };
  }

  /** Marks the digit that is shown as it was drawn. */
  mark(shown: { readonly seed: number; readonly image: number } | undefined): void {
    for (const [i, { button }] of this.#tiles.entries()) {
      const isShown = shown?.seed === this.#seed && shown.image === this.#first + i;
      button.setAttribute('aria-pressed', String(isShown));
    }
  }

  /** Draws the digits (again). */
  draw(): void {
    this.#images = [];
    this.#saveAll.disabled = true;
    const noises = this.#tiles.map((_, i) => this.digit(i).z);
    const drawn = this.#drawing.order('gallery', noises, (image, at) => {
      this.#images[at] = image;
      const tile = this.#tiles[at];
      if (tile) paint(tile.canvas, image);
    });
    void drawn.then((complete) => {
      if (complete) this.#saveAll.disabled = false;
    });
    const last = this.#first + COUNT - 1;
    this.#seedInput.value = String(this.#seed);
    this.#firstInput.value = String(this.#first);
    this.#earlier.disabled = this.#first === 0;
    byId('last', HTMLElement).textContent = `to ${last}`;
    byId('gallery-text', HTMLElement).textContent =
      `Seed ${this.#seed}, images ${this.#first} to ${last}: what ganglion sample --seed ${this.#seed} draws.`;
    for (const [i, { button }] of this.#tiles.entries()) {
      button.setAttribute('aria-label', `Seed ${this.#seed}, image ${this.#first + i}`);
      button.title = `Image ${this.#first + i}`;
    }
  }

  #go(seed: number, first: number): void {
    [this.#seed, this.#first] = [seed, first];
    for (const input of [this.#seedInput, this.#firstInput]) input.setAttribute('aria-invalid', 'false');
    this.draw();
    this.onTurn?.();
  }

  /** Told when other digits are shown. */
  onTurn: (() => void) | undefined;
}

function isValid({ value, valueAsNumber, max }: HTMLInputElement): boolean {
  return /^\d+$/.test(value) && valueAsNumber <= Number(max);
}
