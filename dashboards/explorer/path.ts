// A way from digit to digit through the latent space, by a slider or by itself, to and fro.
import { byId, element } from '../live/format.js';
import type { Drawing } from './drawing.ts';
import { alongPath } from './latent.ts';
import { newCanvas, paint } from './pictures.ts';

/** Seconds from one digit of the path to the next. */
const SECONDS = 1.6;
/** Where a person wants less motion, one picture a second, a quarter of the way. */
const CALM_MS = 1000;
const CALM_STEP = 0.25;

interface Stop {
  readonly z: Float32Array;
  readonly name: string;
}

export interface PathWishes {
  /** The digit between two of the path. */
  readonly onMove: (z: Float32Array, text: string) => void;
  /** One digit of the path, as it was added. */
  readonly onPick: (stop: Stop) => void;
}

export class Path {
  readonly #drawing: Drawing;
  readonly #wishes: PathWishes;
  readonly #list = byId('path', HTMLElement);
  readonly #slider = byId('along', HTMLInputElement);
  readonly #play = byId('play', HTMLButtonElement);
  readonly #clear = byId('clear', HTMLButtonElement);
  #stops: Stop[] = [];
  #forward = true;
  #frame: number | undefined;

  constructor(drawing: Drawing, wishes: PathWishes) {
    this.#drawing = drawing;
    this.#wishes = wishes;
    this.#slider.addEventListener('input', () => {
      this.pause();
      this.#show();
    });
    this.#play.addEventListener('click', () => (this.#frame === undefined ? this.#start() : this.pause()));
    this.#clear.addEventListener('click', () => {
      this.#stops = [];
      this.#changed();
      byId('add', HTMLElement).focus();
    });
  }

  add(...stops: Stop[]): void {
    this.#stops.push(...stops);
    this.#changed();
  }

  pause(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
    this.#play.textContent = 'Play';
  }

  /** Draws the digits of the path (again). */
  draw(): void {
    const canvases = [...this.#list.querySelectorAll('canvas')];
    const noises = this.#stops.map(({ z }) => z);
    void this.#drawing.order('path', noises, (image, at) => {
      const canvas = canvases[at];
      if (canvas) paint(canvas, image);
    });
  }

  #changed(): void {
    this.pause();
    this.#list.replaceChildren(...this.#stops.map((stop, at) => this.#item(stop, at)));
    const count = this.#stops.length;
    this.#slider.max = String(Math.max(0, count - 1));
    for (const control of [this.#slider, this.#play]) control.disabled = count < 2;
    this.#clear.disabled = count === 0;
    byId('path-text', HTMLElement).textContent =
      count < 2
        ? 'Add two images or more: the way between them is an arc, on which every point is likely noise.'
        : `${count} images; between two of them the noise goes along an arc.`;
    this.#say();
    if (count > 0) this.draw();
  }

  #item(stop: Stop, at: number): HTMLLIElement {
    const item = document.createElement('li');
    const show = element('button', '', 'tile');
    show.type = 'button';
    show.setAttribute('aria-label', `Image ${at + 1} of the path: ${stop.name}`);
    show.title = stop.name;
    show.append(newCanvas());
    show.addEventListener('click', () => {
      this.pause();
      this.#slider.value = String(at);
      this.#say();
      this.#wishes.onPick(stop);
    });
    const remove = element('button', '×', 'remove');
    remove.type = 'button';
    remove.setAttribute('aria-label', `Take image ${at + 1} off the path`);
    remove.addEventListener('click', () => {
      this.#stops.splice(at, 1);
      this.#changed();
      // The keyboard stays where it was.
      const next = this.#list.querySelectorAll<HTMLElement>('.remove')[Math.min(at, this.#stops.length - 1)];
      (next ?? byId('add', HTMLElement)).focus();
    });
    item.append(show, remove);
    return item;
  }

  #show(): void {
    const at = this.#slider.valueAsNumber;
    const text = this.#say();
    this.#wishes.onMove(
      alongPath(
        this.#stops.map(({ z }) => z),
        at,
      ),
      text,
    );
  }

  /** Says where the slider is. */
  #say(): string {
    const at = this.#slider.valueAsNumber;
    const from = Math.floor(at);
    const percent = Math.round(100 * (at - from));
    const text =
      percent === 0
        ? `Image ${from + 1} of the path`
        : `Path, ${percent} % of the way from image ${from + 1} to ${from + 2}`;
    this.#slider.setAttribute('aria-valuetext', text);
    return text;
  }

  #start(): void {
    this.#play.textContent = 'Pause';
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    let before = performance.now();
    const next = (now: number): void => {
      this.#frame = requestAnimationFrame(next);
      if (calm && now - before < CALM_MS) return;
      this.#advance(calm ? CALM_STEP : (now - before) / 1000 / SECONDS);
      before = now;
    };
    this.#frame = requestAnimationFrame(next);
  }

  #advance(by: number): void {
    const end = this.#stops.length - 1;
    const at = this.#slider.valueAsNumber;
    if (at >= end) this.#forward = false;
    if (at <= 0) this.#forward = true;
    this.#slider.value = String(at + (this.#forward ? by : -by));
    this.#show();
  }
}
