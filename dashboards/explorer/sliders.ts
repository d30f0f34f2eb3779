// A slider for every direction: its place is the digit's coordinate, in standard deviations of the noise.
import { byId, element } from '../live/format.js';

/** Beyond it, one digit in 16,000 lies on either side. */
const FAR = 4;

export class Sliders {
  readonly #rows: { readonly slider: HTMLInputElement; readonly output: HTMLOutputElement }[];

  /**
   * @param shares of each direction, as in ExplorerData
   * @param onMove told the direction and the coordinate that a person has chosen
   */
  constructor(shares: readonly number[], onMove: (direction: number, coordinate: number) => void) {
    const list = byId('sliders', HTMLElement);
    this.#rows = shares.map((_, direction) => {
      const row = element('div', '', 'direction');
      const label = element('label', directionName(direction));
      const slider = document.createElement('input');
      Object.assign(slider, { id: `direction-${direction + 1}`, type: 'range', min: -FAR, max: FAR, step: 0.05 });
      label.htmlFor = slider.id;
      const output = document.createElement('output');
      output.htmlFor.add(slider.id);
      slider.addEventListener('input', () => onMove(direction, slider.valueAsNumber));
      row.append(label, slider, output);
      list.append(row);
      return { slider, output };
    });
    const percent = (share: number): string => `${Math.round(100 * share)} %`;
    const all = percent(shares.reduce((sum, share) => sum + share, 0));
    const others = shares.length > 1 ? `, all ${shares.length} together ${all}` : '';
    byId('directions-text', HTMLElement).textContent =
      `Where the generator's first layer responds most to its noise: the first direction causes ${percent(shares[0] ?? 0)} ` +
      `of the response${others}. Training gave them no names.`;
  }

  show(coordinates: readonly number[]): void {
    for (const [i, { slider, output }] of this.#rows.entries()) {
      const coordinate = coordinates[i] ?? 0;
      slider.value = String(coordinate);
      output.textContent = signed(coordinate, 2);
    }
  }
}

export function directionName(direction: number): string {
  return `Direction ${direction + 1}`;
}

/** With a minus sign that is one, and never "-0.0". */
export function signed(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}
