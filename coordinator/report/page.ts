// The report as HTML: what is written on it stands in the text, so that it can be read and printed without scripts; only the curves
// are drawn by the live page's own code.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readInstalled } from '../files/installed-file.ts';
import { bundle } from './bundle.ts';
import { Html, html, jsonForScript } from './html.ts';
import type { ReportData } from './report-data.ts';
import { curves, details, evaluation, hashes, header, samples, timeline } from './sections.ts';
import { rounded, timeOf } from './texts.ts';

/** @param page folder of the live page's files */
export function toReport(data: ReportData, page: URL): string {
  const style = [uPlotFile('uPlot.min.css'), new URL('live.css', page), new URL('../report/report.css', page)]
    .map((file) => readInstalled(file).toString('utf8'))
    .join('\n');
  const uPlot = readInstalled(uPlotFile('uPlot.iife.min.js')).toString('utf8');
  const script = `${uPlot}\n${bundle(new URL('../report/report.js', page), { 'uplot.js': 'globalThis.uPlot' })}`;
  const { last, steps, curves: points } = data.history;
  const icon = readInstalled(new URL('icon.svg', page)).toString('base64');
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
${evaluation()}
${curves(data)}
${timeline(data)}
${details('config', 'Config', data.run.config)}
${details('environment', 'Environment', data.run.environment, 'The files of this run do not name its machine.')}
${details('result', 'Result', rounded(data.run.summary), 'This run has no summary: it did not end in order.')}
${hashes(data)}
</main>
<footer><p>Written ${timeOf(data.time)} UTC by Ganglion ${data.version}, from the files of the run.</p></footer>
<script type="application/json" id="history">${jsonForScript({ last, steps, curves: points })}</script>
<script type="application/json" id="evaluations">${jsonForScript(data.evaluations)}</script>
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
