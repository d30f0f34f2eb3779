// @ts-check
// The samples of the run: the same noise after every epoch. A slider shows earlier ones, a button animates them.
import { byId, element, whole } from './format.js';

/** Pictures a second; where a person wants less motion, one. */
const FRAME_MS = 140;
const CALM_FRAME_MS = 1000;

/** Pixels along a grid that is wider than its place on most screens. */
const FINE = 400;

export class Pictures {
  #image = byId('picture', HTMLImageElement);
  #text = byId('picture-text', HTMLElement);
  #slider = byId('picture-at', HTMLInputElement);
  #play = byId('play', HTMLButtonElement);
  #newest = byId('newest', HTMLButtonElement);
  #real = byId('real', HTMLButtonElement);
  #animation = element('a', 'As GIF');
  #session = '';
  /** Steps with a picture. @type {number[]} */
  #steps = [];
  #at = -1;
  #showsReal = false;
  /** Address of the picture to show; it may still be on its way. */
  #wanted = '';
  #loading = Promise.resolve();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  constructor() {
    this.#animation.id = 'animation';
    this.#animation.download = 'epochs.gif';
    this.#animation.hidden = true;
    this.#real.after(this.#animation);
    this.#slider.addEventListener('input', () => {
      this.#pause();
      this.#show(Number(this.#slider.value));
    });
    this.#play.addEventListener('click', () => (this.#timer === undefined ? this.#start() : this.#pause()));
    this.#newest.addEventListener('click', () => {
      this.#pause();
      this.#show(this.#steps.length - 1);
    });
    this.#real.addEventListener('click', () => {
      this.#showsReal = !this.#showsReal;
      this.#pause();
      this.#show(this.#at);
    });
  }

  /**
   * Shows the newest, unless a person looks at another.
   *
   * @param {{ session: string, steps: number[], real: boolean, animation: boolean }} samples
   */
  load({ session, steps, real, animation }) {
    const newest = this.#isNewest && this.#timer === undefined;
    const step = this.#steps[this.#at];
    this.#session = session;
    this.#steps = steps;
    this.#real.disabled = !real;
    this.#animation.hidden = !animation;
    this.#animation.href = `samples/epochs.gif?run=${session}`;
    const at = step === undefined ? -1 : steps.indexOf(step);
    this.#show(newest || at === -1 ? steps.length - 1 : at);
  }

  get #isNewest() {
    return this.#at === this.#steps.length - 1;
  }

  /** @param {number} at */
  #show(at) {
    this.#at = at;
    const count = this.#steps.length;
    const step = this.#steps[at];
    for (const control of [this.#slider, this.#newest, this.#play]) control.disabled = count < 2;
    this.#slider.max = String(Math.max(0, count - 1));
    this.#slider.value = String(Math.max(0, at));
    this.#slider.setAttribute('aria-valuetext', step === undefined ? 'no samples' : `step ${whole(step)}`);
    this.#real.setAttribute('aria-pressed', String(this.#showsReal));
    if (this.#showsReal) this.#set('real.png', 'Real images, to compare', 'A grid of 64 real images');
    else if (step !== undefined) {
      const name = `step-${String(step).padStart(8, '0')}.png`;
      const text = `After step ${whole(step)}, ${at + 1} of ${count}`;
      this.#set(name, text, `A grid of 64 images drawn by the generator after step ${whole(step)}`);
    }
  }

  /**
   * Shows a picture once it is here: until then, and should it not come, the one before stays.
   *
   * @param {string} name
   * @param {string} text
   * @param {string} alt
   */
  #set(name, text, alt) {
    const source = `samples/${name}?run=${this.#session}`;
    if (this.#wanted === source && this.#image.getAttribute('src') === source) return;
    this.#wanted = source;
    const picture = new Image();
    picture.src = source;
    this.#loading = picture.decode().then(
      () => {
        if (this.#wanted !== source) return;
        this.#image.src = source;
        this.#image.classList.toggle('fine', picture.naturalWidth > FINE);
        this.#image.alt = alt;
        this.#image.hidden = false;
        this.#text.textContent = text;
      },
      () => {}, // the coordinator has gone
    );
  }

  #start() {
    this.#showsReal = false;
    this.#play.textContent = 'Pause';
    if (this.#isNewest) this.#show(0);
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const next = async () => {
      const started = this.#timer;
      // One after another, however slowly they come.
      await this.#loading;
      if (this.#timer !== started) return;
      if (this.#isNewest) return this.#pause();
      this.#show(this.#at + 1);
      this.#timer = setTimeout(next, calm ? CALM_FRAME_MS : FRAME_MS);
    };
    this.#timer = setTimeout(next, calm ? CALM_FRAME_MS : FRAME_MS);
  }

  #pause() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#play.textContent = 'Play';
  }
}
