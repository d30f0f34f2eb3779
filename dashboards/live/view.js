// @ts-check
// Which steps the plots show, and how smooth: the toolbar above them, and what a person chooses on them.
import { Charts } from './charts.js';
import { byId, whole } from './format.js';

/** @import { Range } from './charts.js' */
/** @import { Curves } from './curves.js' */

/** Steps of smoothing, by the place of the slider. */
const SMOOTHING = [0, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];

export class View {
  /** Steps to show: all, the newest so many, or a range. @type {'all' | number | Range} */
  shown = 'all';
  /** @type {Curves} */
  #curves;
  /** @type {Charts} */
  #charts;
  /** @type {() => Promise<void>} */
  #load;
  #select = byId('shown', HTMLSelectElement);

  /**
   * @param {Curves} curves
   * @param {() => Promise<void>} load brings the points of the range; without it those that are there will do
   */
  constructor(curves, load) {
    this.#curves = curves;
    this.#load = load;
    this.#charts = new Charts(curves, (range) => this.#choose(range ?? 'all'));
    /** @param {string} id @param {() => void} action */
    const on = (id, action) => byId(id, HTMLElement).addEventListener('click', action);
    on('zoom-in', () => this.#zoom(0.5, 0));
    on('zoom-out', () => this.#zoom(2, 0));
    on('earlier', () => this.#zoom(1, -0.5));
    on('later', () => this.#zoom(1, 0.5));
    const select = this.#select;
    select.addEventListener('change', () => this.#choose(select.value === 'all' ? 'all' : Number(select.value)));
    const smoothing = byId('smoothing', HTMLInputElement);
    smoothing.addEventListener('input', () => this.#smooth(smoothing));
  }

  /** @returns {Range | undefined} undefined for all */
  get range() {
    const { shown } = this;
    if (shown === 'all') return undefined;
    if (typeof shown === 'object') return shown;
    return { from: Math.max(1, this.#curves.last - shown + 1), to: Math.max(2, this.#curves.last) };
  }

  /** Draws the curves as they are now. */
  draw() {
    this.#charts.draw(this.range);
  }

  /** @param {'all' | number | Range} shown */
  #choose(shown) {
    this.shown = shown;
    this.#select.value = typeof shown === 'object' ? 'range' : String(shown);
    this.draw();
    this.#load().catch(() => {}); // without a connection, the points that are there will do
  }

  /** Zooms around the middle, or moves by a part of what is shown. @param {number} factor @param {number} shift */
  #zoom(factor, shift) {
    const { last } = this.#curves;
    const { from, to } = this.range ?? { from: 1, to: last };
    const width = Math.max(4, (to - from) * factor);
    const middle = (from + to) / 2 + (to - from) * shift;
    const start = Math.round(Math.min(Math.max(1, middle - width / 2), Math.max(1, last - width)));
    const end = Math.round(Math.min(last, start + width));
    this.#choose(start <= 1 && end >= last ? 'all' : { from: start, to: Math.max(start + 1, end) });
  }

  /** @param {HTMLInputElement} slider */
  #smooth(slider) {
    const steps = SMOOTHING[slider.valueAsNumber] ?? 0;
    const text = steps === 0 ? 'off' : `${whole(steps)} steps`;
    byId('smoothing-text', HTMLElement).textContent = text;
    slider.setAttribute('aria-valuetext', text);
    this.#charts.smoothing = steps;
  }
}
