// @ts-check
// The live page: brings together what the coordinator says and what is on the page.
import { Charts } from './charts.js';
import { Controls } from './controls.js';
import { Curves, POINTS } from './curves.js';
import { byId, whole } from './format.js';
import { Pictures } from './pictures.js';
import { addEvents, showRun, showStatus } from './tables.js';
import { getHistory, getRun, getSamples, listen } from './talk.js';

/** @import { LiveRunInfo, LiveStatus } from '../../shared/live-protocol.ts' */
/** @import { Range } from './charts.js' */

/** Steps of smoothing, by the place of the slider. */
const SMOOTHING = [0, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];

const curves = new Curves();
const charts = new Charts(curves, (range) => void choose(range ?? 'all'));
const pictures = new Pictures();
const controls = new Controls();
const shown = byId('shown', HTMLSelectElement);

/** @type {LiveRunInfo | undefined} */
let run;
/** @type {LiveStatus['state']} */
let state = 'starting';
/** Steps to show: all, the newest so many, or a range. @type {'all' | number | Range} */
let view = 'all';
/** Counts what was asked for: an answer to what nobody wants any more is dropped. */
let asked = 0;

/** @returns {Range | undefined} undefined for all */
function range() {
  if (view === 'all') return undefined;
  if (typeof view === 'object') return view;
  return { from: Math.max(1, curves.last - view + 1), to: Math.max(2, curves.last) };
}

/** Asks for the points of the steps to show. */
async function loadCurves() {
  const question = ++asked;
  const { from = 0, to = Number.MAX_SAFE_INTEGER } = range() ?? {};
  const history = await getHistory({
    from,
    to: typeof view === 'object' ? to : Number.MAX_SAFE_INTEGER,
    points: POINTS,
  });
  if (question !== asked) return;
  curves.load(history);
  charts.draw(range());
}

/** @param {'all' | number | Range} chosen */
async function choose(chosen) {
  view = chosen;
  shown.value = typeof chosen === 'object' ? 'range' : String(chosen);
  charts.draw(range());
  await loadCurves().catch(() => {}); // without a connection, the points that are there will do
}

/** Zooms around the middle, or moves by a part of what is shown. @param {number} factor @param {number} shift */
function zoom(factor, shift) {
  const { from, to } = range() ?? { from: 1, to: curves.last };
  const width = Math.max(4, (to - from) * factor);
  const middle = (from + to) / 2 + (to - from) * shift;
  const start = Math.round(Math.min(Math.max(1, middle - width / 2), Math.max(1, curves.last - width)));
  const end = Math.round(Math.min(curves.last, start + width));
  void choose(start <= 1 && end >= curves.last ? 'all' : { from: start, to: Math.max(start + 1, end) });
}

byId('zoom-in', HTMLElement).addEventListener('click', () => zoom(0.5, 0));
byId('zoom-out', HTMLElement).addEventListener('click', () => zoom(2, 0));
byId('earlier', HTMLElement).addEventListener('click', () => zoom(1, -0.5));
byId('later', HTMLElement).addEventListener('click', () => zoom(1, 0.5));
shown.addEventListener('change', () => void choose(shown.value === 'all' ? 'all' : Number(shown.value)));

const smoothing = byId('smoothing', HTMLInputElement);
smoothing.addEventListener('input', () => {
  const steps = SMOOTHING[smoothing.valueAsNumber] ?? 0;
  const text = steps === 0 ? 'off' : `${whole(steps)} steps`;
  byId('smoothing-text', HTMLElement).textContent = text;
  smoothing.setAttribute('aria-valuetext', text);
  charts.smoothing = steps;
});

/** @param {LiveStatus} status */
function applyStatus(status) {
  state = status.state;
  showStatus(status, run?.batch ?? 0);
  pictures.add(status.sample);
}

listen({
  async reload() {
    const [info, samples] = await Promise.all([getRun(), getSamples(), loadCurves()]);
    run = info;
    showRun(info);
    controls.load(info);
    pictures.load(samples);
    applyStatus(info.status);
  },
  update({ status, rows, events }) {
    // An event that came while everything was asked for is there already.
    const newest = run?.events.at(-1)?.seq ?? 0;
    addEvents(events.filter(({ seq }) => seq > newest));
    if (status) applyStatus(status);
    if (rows.length === 0) return;
    curves.append(rows, typeof view === 'object' ? view.to : Number.MAX_SAFE_INTEGER);
    if (typeof view === 'number') curves.forget(curves.last - view + 1);
    if (curves.crowded) void loadCurves().catch(() => {});
    charts.draw(range());
  },
  connected(connected) {
    const ended = state === 'finished' || state === 'stopped';
    const gone = ended
      ? `The run has ended; ganglion view ${run?.path ?? ''} shows it.`
      : 'Connection lost, trying again.';
    const text = connected ? '' : gone;
    const line = byId('connection', HTMLElement);
    if (line.textContent !== text) line.textContent = text;
  },
});
