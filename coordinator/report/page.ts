// The report as HTML: what is written on it stands in the text, so that it can be read and printed without scripts; only the curves
// are drawn by the live page's own code.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LiveEvent, LiveHistory, LiveRunInfo } from '../../shared/live-protocol.ts';
import { bundle } from './bundle.ts';
import { Html, html, jsonForScript } from './html.ts';
import type { StoredCheckpoint } from './stored-checkpoints.ts';

/** A grid of samples after a step, as a PNG file. */
export interface Picture {
  readonly step: number;
  readonly base64: string;
}

export interface ReportData {
  readonly run: LiveRunInfo;
  readonly history: LiveHistory;
  readonly pictures: {
    readonly newest: Picture | null;
    /** Digits of the data, as a PNG file in base64. */
    readonly real: string | null;
    /** Earlier ones, evenly spread. */
    readonly course: readonly Picture[];
    /** A GIF file in base64; null where there is none, or it is too large. */
    readonly animation: string | null;
    readonly hasAnimation: boolean;
  };
  /** Newest first. */
  readonly checkpoints: readonly StoredCheckpoint[];
  /** Older ones, which are not listed. */
  readonly more: number;
  readonly version: string;
  /** When the report is written, in milliseconds since 1970. */
  readonly time: number;
}

const SIDE = 238;
/** Of a figure that was measured. */
const DIGITS = 6;

/** @param page folder of the live page's files */
export function toReport(data: ReportData, page: URL): string {
  const style = [uPlotFile('uPlot.min.css'), new URL('live.css', page), new URL('../report/report.css', page)]
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const uPlot = readFileSync(uPlotFile('uPlot.iife.min.js'), 'utf8');
  const script = `${uPlot}\n${bundle(new URL('../report/report.js', page), { 'uplot.js': 'globalThis.uPlot' })}`;
  const { last, steps, curves: points } = data.history;
  const icon = readFileSync(new URL('icon.svg', page)).toString('base64');
  // Nothing may be loaded, sent or run but what is in the file.
  const policy = [
    "default-src 'none'",
    'img-src data:',
    `style-src ${sourceOf(style)}`,
    `script-src ${sourceOf(script)}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Html(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Ganglion ${data.version}">
<title>${data.run.name} · Ganglion</title>
<link rel="icon" href="data:image/svg+xml;base64,${icon}">
<style>${new Html(style)}</style>
</head>
<body class="report">
${header(data)}
<main>
${samples(data)}
${curves(data)}
${timeline(data)}
${details('config', 'Config', data.run.config)}
${details('environment', 'Environment', data.run.environment, 'The files of this run do not name its machine.')}
${details('result', 'Result', rounded(data.run.summary), 'This run has no summary: it did not end in order.')}
${hashes(data)}
</main>
<footer><p>Written ${timeOf(data.time)} UTC by Ganglion ${data.version}, from the files of the run.</p></footer>
<script type="application/json" id="history">${jsonForScript({ last, steps, curves: points })}</script>
<script>${new Html(script)}</script>
</body>
</html>
`.text;
}

function uPlotFile(name: string): URL {
  return pathToFileURL(join(createRequire(import.meta.url).resolve('uplot/package.json'), '..', 'dist', name));
}

/** What a content security policy calls an element with this text. @throws Error where the text would end its element */
function sourceOf(text: string): string {
  if (/<\/(script|style)|<!--/i.test(text))
    throw new Error('a script or style of the report would end its own element');
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

function header({ run }: ReportData): Html {
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

function samples({ pictures }: ReportData): Html {
  const { newest, real, course, animation, hasAnimation } = pictures;
  const none = html`<p class="hint">No samples were drawn.</p>`;
  const large = html`<p class="hint">samples/epochs.gif animates all samples.</p>`;
  return html`<section class="samples" aria-labelledby="samples-title">
<h2 id="samples-title">Samples from fixed noise</h2>
${newest === null ? none : null}
<div class="grids">
${newest && figure(`After step ${whole(newest.step)}`, `64 digits drawn by the generator after step ${whole(newest.step)}`, newest.base64)}
${real !== null ? figure('Real digits', '64 real digits, to compare', real) : null}
${
  course.length > 0
    ? html`<div class="course">${course.map(({ step, base64 }) =>
        figure(whole(step), `64 digits drawn by the generator after step ${whole(step)}`, base64),
      )}</div>`
    : null
}
</div>
${
  animation !== null
    ? html`<details><summary>All samples, animated</summary>
${new Html(image('gif', 'Digits drawn by the generator during the run, animated', animation))}</details>`
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
function curves({ history }: ReportData): Html {
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

function timeline({ run: { events } }: ReportData): Html {
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

function details(id: string, title: string, values: Readonly<Record<string, unknown>> | null, without = ''): Html {
  const rows = Object.entries(values ?? {}).map(([name, value]) => {
    return html`<div><dt>${name}</dt><dd>${value === null ? '–' : textOf(value)}</dd></div>
`;
  });
  return html`<section class="values ${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${title}</h2>
${values === null ? html`<p class="hint">${without}</p>` : html`<dl>${rows}</dl>`}
</section>`;
}

function textOf(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Rounds measured figures to significant digits. */
function rounded(values: Readonly<Record<string, unknown>> | null): Readonly<Record<string, unknown>> | null {
  const entries = Object.entries(values ?? {}).map(([name, value]) => {
    return [
      name,
      typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(DIGITS)) : value,
    ] as const;
  });
  return values && Object.fromEntries(entries);
}

function hashes({ run: { config, summary }, checkpoints, more }: ReportData): Html {
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

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function duration(seconds: number): string {
  const left = Math.round(seconds);
  const [hours, minutes] = [Math.floor(left / 3600), Math.floor((left % 3600) / 60)];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${left % 60} s` : `${seconds < 10 ? seconds.toFixed(1) : left} s`;
}

/** @param ms since 1970 */
function timeOf(ms: number): Html {
  const text = new Date(ms).toISOString();
  return html`<time datetime="${text}">${text.slice(0, 19).replace('T', ' ')}</time>`;
}
