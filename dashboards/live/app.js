// @ts-check
// The live page: brings together what the coordinator says and what is on the page.

import { getEvaluations, getHistory, getRun, getSamples, listen } from './api.js';
import { Controls } from './controls.js';
import { Curves, POINTS } from './curves.js';
import { showEvaluations } from './evaluation.js';
import { byId } from './format.js';
import { Lending } from './lend.js';
import { Newest } from './newest.js';
import { Pictures } from './pictures.js';
import { addEvents, showRun, showStatus } from './tables.js';
import { View } from './view.js';

/** @import { LiveRunInfo, LiveStatus } from '../../shared/live-protocol.ts' */

const curves = new Curves();
const view = new View(curves, loadCurves);
const pictures = new Pictures();
const samples = new Newest(getSamples, (list) => pictures.load(list));
const evaluations = new Newest(getEvaluations, showEvaluations);
const controls = new Controls();
const lending = new Lending();

/** @type {LiveRunInfo | undefined} */
let run;
/** @type {LiveStatus['state']} */
let state = 'starting';
/** Counts what was asked for: an answer to what nobody wants any more is dropped. */
let asked = 0;

/** Asks for the points of the steps to show. */
async function loadCurves() {
  const question = ++asked;
  const { from = 0, to = Number.MAX_SAFE_INTEGER } = view.range ?? {};
  const history = await getHistory({
    from,
    to: typeof view.shown === 'object' ? to : Number.MAX_SAFE_INTEGER,
    points: POINTS,
  });
  if (question !== asked) return;
  curves.load(history);
  view.draw();
}

/** @param {LiveStatus} status */
function applyStatus(status) {
  state = status.state;
  showStatus(status, run);
  void samples.follow(status.sample);
  void evaluations.follow(status.evaluated);
}

listen({
  async reload() {
    const [info] = await Promise.all([getRun(), loadCurves()]);
    run = info;
    showRun(info);
    controls.load(info);
    lending.load(info);
    samples.forget();
    evaluations.forget();
    applyStatus(info.status);
  },
  update({ status, rows, events }) {
    // An event that came while everything was asked for is there already.
    const newest = run?.events.at(-1)?.seq ?? 0;
    addEvents(events.filter(({ seq }) => seq > newest));
    if (status) applyStatus(status);
    if (rows.length === 0) return;
    const { shown } = view;
    curves.append(rows, typeof shown === 'object' ? shown.to : Number.MAX_SAFE_INTEGER);
    if (typeof shown === 'number') curves.forget(curves.last - shown + 1);
    if (curves.crowded) void loadCurves().catch(() => {});
    view.draw();
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
