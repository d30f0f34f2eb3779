// @ts-check
// How good the samples are: the newest figures, the course of the Fréchet distance over its floor, and the shares of the digits.
import { byId, short, whole } from './format.js';

/** @import { LiveEvaluation } from '../../shared/live-protocol.ts' */

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 600;
const HEIGHT = 160;
const MARGIN = 8;

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function shape(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.append(text);
  return element;
}

/** @param {string} description @param {Element[]} shapes */
function picture(description, shapes) {
  const svg = shape('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': description });
  svg.append(...shapes);
  return svg;
}

/** The Fréchet distance, from 0 up. @param {readonly LiveEvaluation[]} evaluations */
function course(evaluations) {
  const last = evaluations.at(-1)?.step ?? 1;
  const most = Math.max(...evaluations.map(({ frechetDistance }) => frechetDistance), 1e-9);
  const floor = evaluations.at(-1)?.floor ?? 0;
  /** @param {number} step */
  const x = (step) => MARGIN + ((WIDTH - 2 * MARGIN) * step) / Math.max(1, last);
  /** @param {number} distance */
  const y = (distance) => HEIGHT - MARGIN - ((HEIGHT - 4 * MARGIN) * distance) / most;
  const points = evaluations.map(({ step, frechetDistance }) => `${x(step)},${y(frechetDistance)}`).join(' ');
  return picture(`Fréchet distance up to step ${whole(last)}, ${short(most)} at most; real images ${short(floor)}`, [
    shape('line', { class: 'floor', x1: MARGIN, x2: WIDTH - MARGIN, y1: y(floor), y2: y(floor) }),
    shape('polyline', { class: 'course', points }),
    ...evaluations.map(({ step, frechetDistance }) => {
      const dot = shape('circle', { class: 'dot', cx: x(step), cy: y(frechetDistance), r: 2.5 });
      dot.append(shape('title', {}, `step ${whole(step)}: ${short(frechetDistance)}`));
      return dot;
    }),
    shape('text', { x: MARGIN, y: 2 * MARGIN }, `Fréchet distance, ${short(most)} at most`),
  ]);
}

/** A bar a digit, and a mark where real images are. @param {LiveEvaluation} evaluation */
function bars({ classShares, realShares }) {
  const shares = classShares ?? [];
  const real = realShares ?? [];
  const most = Math.max(...shares, ...real, 1e-9);
  const width = (WIDTH - 2 * MARGIN) / Math.max(1, shares.length);
  /** @param {number} share */
  const height = (share) => ((HEIGHT - 6 * MARGIN) * share) / most;
  const base = HEIGHT - 2.5 * MARGIN;
  const shapes = shares.flatMap((share, digit) => {
    const left = MARGIN + digit * width + 0.15 * width;
    const mark = base - height(real[digit] ?? 0);
    const bar = shape('rect', {
      class: 'bar',
      x: left,
      y: base - height(share),
      width: 0.7 * width,
      height: height(share),
    });
    bar.append(
      shape('title', {}, `${digit}: ${(100 * share).toFixed(1)} %, real ${(100 * (real[digit] ?? 0)).toFixed(1)} %`),
    );
    return [
      bar,
      shape('line', { class: 'floor', x1: left, x2: left + 0.7 * width, y1: mark, y2: mark }),
      shape('text', { x: left + 0.35 * width, y: HEIGHT - MARGIN / 2, 'text-anchor': 'middle' }, String(digit)),
    ];
  });
  const listed = shares.map((share, digit) => `${digit} ${(100 * share).toFixed(1)} %`).join(', ');
  return picture(`Share of every digit among the samples: ${listed}`, shapes);
}

/** Shows them, or nothing where there are none. @param {readonly LiveEvaluation[]} evaluations in order of steps */
export function showEvaluations(evaluations) {
  const newest = evaluations.at(-1);
  byId('evaluation', HTMLElement).hidden = newest === undefined;
  if (!newest) return;
  const { step, weights, count, frechetDistance, floor, precision, recall } = newest;
  const kind = weights === 'ema' ? 'averaged weights' : 'weights as trained';
  byId('evaluation-text', HTMLElement).textContent =
    `Step ${whole(step)}, ${whole(count)} samples, ${kind}: Fréchet distance ${short(frechetDistance)} (real images ${short(floor)}, the dashed line), ` +
    `precision ${short(precision)}, recall ${short(recall)}.`;
  const pictures = [course(evaluations), ...(newest.classShares ? [bars(newest)] : [])];
  byId('evaluation-pictures', HTMLElement).replaceChildren(...pictures);
}
