// The sections of a report, in its order.
import type { LiveEvent } from '../../shared/live-protocol.ts';
import { Html, html } from './html.ts';
import type { ReportData } from './report-data.ts';
import { duration, textOf, timeOf, whole } from './texts.ts';

/** As high as it is wide: the page's style gives the size. */
const SIDE = 238;

export function header({ run }: ReportData): Html {
  const { name, path, status, events, summary, config } = run;
  const { state, step, steps, epoch, imagesPerSecond, restarts } = status;
  const last = events.at(-1);
  const unended = state === 'finished' ? '' : 'no end was recorded: killed, or still training';
  const seconds = summary?.wallSeconds;
  const { epochs } = config;
  const figures: readonly (readonly [string, string | Html])[] = [
    ['Steps', steps === null ? whole(step) : `${whole(step)} / ${whole(steps)}`],
    ['Epoch', typeof epochs === 'number' ? `${whole(epoch + 1)} of ${whole(epochs)}` : whole(epoch + 1)],
    ['Throughput', imagesPerSecond === 0 ? '–' : html`${whole(imagesPerSecond)} <small>images/s</small>`],
    ['Time', typeof seconds === 'number' ? duration(seconds) : '–'],
    ['Restarts', summary === null ? '–' : whole(restarts)],
  ];
  return html`<header>
<div class="title"><h1 title="${path}">${name}</h1><span class="badge" id="state" data-state="${state}">${state}</span>
<p class="ending">${last?.kind === 'end' ? last.text : unended}</p></div>
<progress max="${Math.max(1, steps ?? step)}" value="${step}" aria-label="Steps done"></progress>
<dl class="figures">${figures.map(([term, text]) => html`<div><dt>${term}</dt><dd>${text}</dd></div>`)}</dl>
</header>`;
}

export function samples({ pictures, run }: ReportData): Html {
  const { newest, real, course, animation, hasAnimation } = pictures;
  const none = html`<p class="hint">No samples were drawn.</p>`;
  const large = html`<p class="hint">samples/epochs.gif animates all samples.</p>`;
  // A grid of images of 64 pixels is shown smaller than it is, which is not done by leaving pixels out.
  const fine = run.config.imageSize === 64 ? 'samples fine' : 'samples';
  return html`<section class="${fine}" aria-labelledby="samples-title">
<h2 id="samples-title">Samples from fixed noise</h2>
${newest === null ? none : null}
<div class="grids">
${newest && figure(`After step ${whole(newest.step)}`, `64 images drawn by the generator after step ${whole(newest.step)}`, newest.base64)}
${real !== null ? figure('Real images', '64 real images, to compare', real) : null}
${
  course.length > 0
    ? html`<div class="course">${course.map(({ step, base64 }) =>
        figure(whole(step), `64 images drawn by the generator after step ${whole(step)}`, base64),
      )}</div>`
    : null
}
</div>
${
  animation !== null
    ? html`<details><summary>All samples, animated</summary>
${new Html(image('gif', 'Images drawn by the generator during the run, animated', animation))}</details>`
    : hasAnimation
      ? large
      : null
}
</section>`;
}

function figure(caption: string, description: string, base64: string): Html {
  return html`<figure>${new Html(image('png', description, base64))}<figcaption>${caption}</figcaption></figure>`;
}

/** @param description without signs that HTML knows */
function image(type: 'png' | 'gif', description: string, base64: string): string {
  return `<img src="data:image/${type};base64,${base64}" alt="${description}" width="${SIDE}" height="${SIDE}">`;
}

/** The elements that the live page's code expects, by id. */
export function curves({ history }: ReportData): Html {
  if (history.last === 0) {
    return html`<section class="curves"><h2>Curves</h2><p class="hint">No step was logged.</p></section>`;
  }
  return html`<section class="curves" aria-labelledby="curves-title">
<h2 id="curves-title">Curves</h2>
<div class="toolbar">
<div class="group"><label for="shown">Steps</label>
<select id="shown"><option value="all">all</option><option value="10000">last 10,000</option>
<option value="1000">last 1,000</option><option value="200">last 200</option><option value="range" disabled>zoomed</option></select></div>
<div class="group">
<button id="zoom-in" type="button" aria-label="Zoom in" title="Zoom in">+</button>
<button id="zoom-out" type="button" aria-label="Zoom out" title="Zoom out">−</button>
<button id="earlier" type="button" aria-label="Earlier steps" title="Earlier steps">‹</button>
<button id="later" type="button" aria-label="Later steps" title="Later steps">›</button></div>
<div class="group"><label for="smoothing">Smoothing</label>
<input id="smoothing" type="range" min="0" max="9" value="0" aria-valuetext="off">
<output id="smoothing-text" for="smoothing">off</output></div>
</div>
<div class="plots" id="plots"></div>
<noscript><p class="hint">The curves need JavaScript.</p></noscript>
<p class="hint">Steps ${whole(history.steps[0] ?? 0)} to ${whole(history.last)} in ${whole(history.steps.length)} points. Lines are means, bands span the smallest to the largest value.
<span class="mouse">Drag over a plot to zoom, double-click for all steps.</span></p>
</section>`;
}

/** Filled by the live page's code from the data in the page. */
export function evaluation(): Html {
  return html`<section class="evaluation" id="evaluation" aria-labelledby="evaluation-title" hidden>
<h2 id="evaluation-title">Evaluation</h2>
<p id="evaluation-text"></p>
<div class="pictures" id="evaluation-pictures"></div>
</section>`;
}

export function timeline({ run: { events } }: ReportData): Html {
  const first = events[0]?.seq ?? 1;
  const earlier = html`<p class="hint">${whole(first - 1)} earlier events are in events.jsonl.</p>`;
  return html`<section class="timeline" aria-labelledby="timeline-title">
<h2 id="timeline-title">Timeline (UTC)</h2>
${events.length === 0 ? html`<p class="hint">No events.</p>` : null}${first > 1 ? earlier : null}
<div class="scroll tall" tabindex="0" role="region" aria-labelledby="timeline-title"><ol id="timeline">
${events.map(event)}
</ol></div>
</section>`;
}

function event({ time, step, kind, text }: LiveEvent): Html {
  const when = time > 0 ? timeOf(time) : html`<span></span>`;
  return html`<li title="step ${whole(step)}">${when}<span class="kind ${kind}">${kind}</span><span class="text">${text}</span></li>
`;
}

export function details(
  id: string,
  title: string,
  values: Readonly<Record<string, unknown>> | null,
  without = '',
): Html {
  const rows = Object.entries(values ?? {}).map(([name, value]) => {
    return html`<div><dt>${name}</dt><dd>${value === null ? '–' : textOf(value)}</dd></div>
`;
  });
  return html`<section class="values ${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${title}</h2>
${values === null ? html`<p class="hint">${without}</p>` : html`<dl>${rows}</dl>`}
</section>`;
}

export function hashes({ run: { config, summary }, checkpoints, more }: ReportData): Html {
  const state = summary?.stateSha256 ?? checkpoints[0]?.stateSha256;
  const of = summary?.stateSha256 === undefined ? `, as checkpoint ${checkpoints[0]?.name} says` : '';
  const rows = checkpoints.map(
    ({
      name,
      step,
      bytes,
      time,
      stateSha256,
    }) => html`<tr><th scope="row">${name}</th><td class="number">${whole(step)}</td>
<td class="number">${(bytes / 2 ** 20).toFixed(1)} MiB</td><td>${timeOf(time)}</td><td class="hash">${stateSha256 ?? 'cannot be read'}</td></tr>
`,
  );
  return html`<section class="hashes" aria-labelledby="hashes-title">
<h2 id="hashes-title">Hashes and checkpoints</h2>
<dl><dt>State${of}, SHA-256</dt><dd class="hash">${typeof state === 'string' ? state : '–'}</dd>
<dt>Data, SHA-256</dt><dd class="hash">${String(config.dataSha256 ?? '–')}</dd></dl>
<div class="scroll tall" tabindex="0" role="region" aria-labelledby="hashes-title"><table>
<thead><tr><th scope="col">Checkpoint</th><th scope="col" class="number">Step</th><th scope="col" class="number">Size</th>
<th scope="col">Written (UTC)</th><th scope="col">SHA-256 of the state</th></tr></thead>
<tbody>${rows}</tbody></table></div>
${more > 0 ? html`<p class="hint">${whole(more)} older ones are not listed.</p>` : null}
<p class="hint">As their files say; ganglion inspect verifies them.</p>
</section>`;
}
