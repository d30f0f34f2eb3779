// @ts-check
// Draws the curves and evaluations of a report, which stand in its text. Put into the file by coordinator/report/bundle.ts.
import { Curves } from '../live/curves.js';
import { showEvaluations } from '../live/evaluation.js';
import { View } from '../live/view.js';

const history = document.getElementById('history')?.textContent;
if (history && document.getElementById('plots')) {
  const curves = new Curves();
  curves.load(JSON.parse(history));
  new View(curves, async () => {}).draw();
}

const evaluations = document.getElementById('evaluations')?.textContent;
if (evaluations) showEvaluations(JSON.parse(evaluations));
