// @ts-check
// Draws the curves of a report, whose points stand in its text. Put into the file by coordinator/report/bundle.ts.
import { Curves } from '../live/curves.js';
import { View } from '../live/view.js';

const history = document.getElementById('history')?.textContent;
if (history && document.getElementById('plots')) {
  const curves = new Curves();
  curves.load(JSON.parse(history));
  new View(curves, async () => {}).draw();
}
