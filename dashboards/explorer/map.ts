// Two directions as a map: digits at the places of a lattice, and the shown digit's own place, which can be dragged.
import { byId } from '../live/format.js';
import { paintCell, resize } from './pictures.ts';
import { directionName, signed } from './sliders.ts';

/** Digits in a row of the map, and how far apart they are, in standard deviations of the noise. */
const CELLS = 9;
const PITCH = 0.75;
/** Coordinate of the map's edge: the digits are in the middle of their cells. */
const EDGE = (CELLS * PITCH) / 2;
const STEP = 0.1;
const LARGE_STEP = PITCH;

/** Coordinates along the two directions. */
export type Place = readonly [across: number, up: number];

/** The places of the map's digits, row by row from the top. */
const LATTICE: readonly Place[] = Array.from({ length: CELLS * CELLS }, (_, i) => [
  ((i % CELLS) - (CELLS - 1) / 2) * PITCH,
  ((CELLS - 1) / 2 - Math.floor(i / CELLS)) * PITCH,
]);

interface Wishes {
  /** Where the digit shall be. */
  readonly onMove: (place: Place) => void;
  /** Other directions were chosen. */
  readonly onAxes: () => void;
}

export class DigitMap {
  readonly #map = byId('map', HTMLElement);
  readonly #picture = resize(byId('map-picture', HTMLCanvasElement), CELLS, CELLS);
  readonly #place = byId('place', HTMLElement);
  readonly #across = byId('across', HTMLSelectElement);
  readonly #up = byId('up', HTMLSelectElement);
  readonly #wishes: Wishes;
  #at: Place = [0, 0];

  /** @param directions at least 2 */
  constructor(directions: number, wishes: Wishes) {
    this.#wishes = wishes;
    for (const [axis, other, initial] of [
      [this.#across, this.#up, 0],
      [this.#up, this.#across, 1],
    ] as const) {
      for (let i = 0; i < directions; i++) axis.add(new Option(directionName(i), String(i), false, i === initial));
      let before = axis.value;
      axis.addEventListener('change', () => {
        // A map of one direction by itself is none: they change places.
        if (axis.value === other.value) {
          other.value = before;
          other.dispatchEvent(new Event('swapped'));
        }
        before = axis.value;
        wishes.onAxes();
      });
      axis.addEventListener('swapped', () => {
        before = axis.value;
      });
    }
    this.#map.addEventListener('pointerdown', (event) => {
      this.#map.setPointerCapture(event.pointerId);
      this.#place.focus({ preventScroll: true });
      this.#follow(event);
      event.preventDefault();
    });
    this.#map.addEventListener('pointermove', (event) => {
      if (this.#map.hasPointerCapture(event.pointerId)) this.#follow(event);
    });
    this.#place.addEventListener('keydown', (event) => {
      const step = event.shiftKey ? LARGE_STEP : STEP;
      const moves: Record<string, Place> = {
        ArrowLeft: [-step, 0],
        ArrowRight: [step, 0],
        ArrowDown: [0, -step],
        ArrowUp: [0, step],
      };
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      this.#go([this.#at[0] + move[0], this.#at[1] + move[1]]);
    });
  }

  /** The directions of the map. */
  get axes(): Place {
    return [Number(this.#across.value), Number(this.#up.value)];
  }

  get lattice(): readonly Place[] {
    return LATTICE;
  }

  /** Shows the digit's place; one outside is shown at the edge. */
  show(place: Place): void {
    this.#at = place;
    const [x, y] = place.map(inside) as [number, number];
    this.#place.style.left = `${(50 * (x + EDGE)) / EDGE}%`;
    this.#place.style.top = `${(50 * (EDGE - y)) / EDGE}%`;
    const [across, up] = this.axes;
    this.#place.setAttribute('aria-valuenow', x.toFixed(2));
    this.#place.setAttribute(
      'aria-valuetext',
      `${directionName(across)} ${signed(place[0], 1)}, ${directionName(up)} ${signed(place[1], 1)}`,
    );
  }

  /** Whether the digits on the map are those of another place in the latent space, until new ones come. */
  set waiting(waiting: boolean) {
    this.#map.classList.toggle('waiting', waiting);
  }

  /** Paints the digit of a place of the lattice. */
  paint(image: Float32Array, at: number): void {
    paintCell(this.#picture, image, at % CELLS, Math.floor(at / CELLS));
  }

  #follow(event: PointerEvent): void {
    const { left, top, width, height } = this.#map.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * 2 * EDGE - EDGE;
    const y = EDGE - ((event.clientY - top) / height) * 2 * EDGE;
    this.#go([x, y]);
  }

  #go([x, y]: Place): void {
    this.#wishes.onMove([inside(x), inside(y)]);
  }
}

function inside(coordinate: number): number {
  return Math.min(EDGE, Math.max(-EDGE, coordinate));
}
