// @ts-check
// Four plots of the curves, which show the same steps, drawn by uPlot.
import { smooth } from './curves.js';
import { byId, element, short, whole } from './format.js';
import uPlot from './uplot.js';

/** @import { Curve } from '../../shared/step-scalars.ts' */
/** @import { Curves } from './curves.js' */

/** @type {readonly { title: string, lines: readonly { curve: Curve, label: string }[], logarithmic?: boolean }[]} */
const PLOTS = [
  {
    title: 'Loss',
    lines: [
      { curve: 'lossD', label: 'D' },
      { curve: 'lossG', label: 'G' },
    ],
  },
  {
    title: 'Output of D',
    lines: [
      { curve: 'outputReal', label: 'D(x)' },
      { curve: 'outputFake', label: 'D(G(z))' },
    ],
  },
  {
    title: 'Gradient norm',
    lines: [
      { curve: 'gradientNormD', label: 'D' },
      { curve: 'gradientNormG', label: 'G' },
    ],
    logarithmic: true,
  },
  { title: 'Throughput', lines: [{ curve: 'imagesPerSecond', label: 'images/s' }] },
];
const CLASSES = /** @type {const} */ (['first', 'second']);
const HEIGHT = 200;
/** Of a plot on paper, where there are two in a row. */
const PAPER_WIDTH = 312;
/** Of what fills a band and of its edge; the colour is the line's own. */
const BAND_ALPHA = '33';
const EDGE_ALPHA = '40';

/** @param {string} name of a CSS variable */
function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** @typedef {{ from: number, to: number }} Range */

/** What a log axis can show: 0 has no place on it. @param {readonly (number | null)[]} values */
function positive(values) {
  return values.map((value) => (value !== null && value > 0 ? value : null));
}

export class Charts {
  /** @type {{ plot: uPlot, box: HTMLElement, spec: (typeof PLOTS)[number], values: HTMLElement[] }[]} */
  #charts = [];
  /** @type {Curves} */
  #curves;
  /** @type {Range | undefined} */
  #range;
  #smoothing = 0;
  /** Index under the pointer, of all plots. @type {number | null | undefined} */
  #at = null;
  /** @type {(range: Range | undefined) => void} */
  #onZoom;

  /**
   * @param {Curves} curves
   * @param {(range: Range | undefined) => void} onZoom the steps that a person has chosen; undefined for all
   */
  constructor(curves, onZoom) {
    this.#curves = curves;
    this.#onZoom = onZoom;
    const parent = byId('plots', HTMLElement);
    for (const spec of PLOTS) {
      const figure = document.createElement('figure');
      const caption = element('figcaption', spec.title);
      if (spec.logarithmic) caption.append(element('span', 'log axis', 'axis'));
      const legend = element('ul', '', 'legend');
      const values = spec.lines.map(({ label }, i) => {
        const item = element('li', `${label} `, CLASSES[i]);
        const value = element('span', '–');
        item.append(value);
        legend.append(item);
        return value;
      });
      caption.append(legend);
      const box = element('div', '', 'plot');
      box.setAttribute('role', 'img');
      figure.append(caption, box);
      parent.append(figure);
      this.#charts.push({ plot: this.#build(spec, box), box, spec, values });
    }
    new ResizeObserver(() => this.#resize()).observe(parent);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#rebuild());
    addEventListener('beforeprint', () => this.#print(true));
    addEventListener('afterprint', () => this.#print(false));
  }

  /** @param {number} steps */
  set smoothing(steps) {
    this.#smoothing = steps;
    this.draw(this.#range);
  }

  /**
   * Draws the curves as they are now.
   *
   * @param {Range | undefined} range steps to show; undefined for all there are
   */
  draw(range) {
    this.#range = range;
    const { steps } = this.#curves;
    const [first = 0] = steps;
    const last = Math.max(steps.at(-1) ?? 0, first + 1);
    const shown = range ?? { from: first, to: last };
    for (const { plot, spec } of this.#charts) {
      plot.batch(() => {
        plot.setData(this.#dataOf(spec), false);
        plot.setScale('x', { min: shown.from, max: shown.to });
      });
    }
    this.#say();
  }

  /** @param {(typeof PLOTS)[number]} spec @returns {uPlot.AlignedData} */
  #dataOf({ lines, logarithmic }) {
    const { steps } = this.#curves;
    const series = lines.flatMap(({ curve }) => {
      const { mean, min, max } = this.#curves.of(curve);
      return [max, min, smooth(steps, mean, this.#smoothing)];
    });
    return [steps, ...(logarithmic ? series.map(positive) : series)];
  }

  /** @param {(typeof PLOTS)[number]} spec @param {HTMLElement} box */
  #build(spec, box) {
    const series = spec.lines.flatMap((_, i) => {
      const stroke = color(CLASSES[i] ?? 'first');
      const points = { show: false };
      // The edge keeps a single far value in sight, where the band is too narrow to be.
      const bound = { points, stroke: stroke + EDGE_ALPHA, width: 1 };
      return [bound, bound, { points, stroke, width: 1.3, spanGaps: true }];
    });
    const axis = {
      stroke: color('quiet'),
      font: '12px system-ui, "DejaVu Sans", sans-serif',
      grid: { stroke: color('grid'), width: 1 },
      ticks: { show: false },
    };
    return new uPlot(
      {
        width: Math.max(200, box.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        scales: { x: { time: false }, y: { distr: spec.logarithmic ? 3 : 1 } },
        axes: [
          {
            ...axis,
            space: 70,
            size: 30,
            values: (_, splits) => splits.map((step) => (step % 1 === 0 ? whole(step) : '')),
          },
          {
            ...axis,
            size: 52,
            space: 36,
            values: (_, splits) => splits.map((value) => (value === null ? '' : short(value))),
          },
        ],
        series: [{}, ...series],
        bands: spec.lines.map((_, i) => ({
          series: [3 * i + 1, 3 * i + 2],
          fill: color(CLASSES[i] ?? 'first') + BAND_ALPHA,
        })),
        cursor: {
          drag: { x: true, y: false, setScale: false },
          points: { show: false },
          y: false,
          sync: { key: 'ganglion' },
          bind: {
            dblclick: () => () => {
              this.#onZoom(undefined);
              return null;
            },
          },
        },
        hooks: {
          setSelect: [(plot) => this.#selected(plot)],
          setCursor: [
            (plot) => {
              this.#at = plot.cursor.idx;
              this.#say();
            },
          ],
        },
      },
      this.#dataOf(spec),
      box,
    );
  }

  /** @param {uPlot} plot */
  #selected(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    const [from, to] = [plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')];
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.#onZoom({ from: Math.floor(from), to: Math.max(Math.floor(from) + 1, Math.ceil(to)) });
  }

  /** Values under the pointer, or else the newest. */
  #say() {
    const { steps } = this.#curves;
    const at = this.#at ?? steps.length - 1;
    for (const { box, spec, values } of this.#charts) {
      const texts = spec.lines.map(({ curve }, i) => {
        const text = short(this.#curves.of(curve).mean[at]);
        const value = values[i];
        if (value) value.textContent = text;
        return `${spec.lines[i]?.label} ${text}`;
      });
      const where = `steps ${whole(steps[0] ?? 0)} to ${whole(steps.at(-1) ?? 0)}`;
      box.setAttribute('aria-label', `${spec.title}, ${where}; at step ${whole(steps[at] ?? 0)}: ${texts.join(', ')}`);
    }
  }

  #resize() {
    for (const { plot, box } of this.#charts) {
      if (box.clientWidth > 0 && box.clientWidth !== plot.width)
        plot.setSize({ width: box.clientWidth, height: HEIGHT });
    }
  }

  /** Paper is light, and narrower than most windows. @param {boolean} prints */
  #print(prints) {
    document.documentElement.classList.toggle('paper', prints);
    this.#rebuild();
    if (prints) for (const { plot } of this.#charts) plot.setSize({ width: PAPER_WIDTH, height: HEIGHT });
  }

  /** The colours have changed. */
  #rebuild() {
    for (const chart of this.#charts) {
      chart.plot.destroy();
      chart.plot = this.#build(chart.spec, chart.box);
    }
    this.draw(this.#range);
  }
}
