// Draws the figures of scaling.mjs: a panel each, x in equal steps, y from zero.

const WIDTH = 320;
const HEIGHT = 240;
const LEFT = 56;
const TOP = 36;
const BOTTOM = 44;
const RIGHT = 16;

/** The next of 1, 2, 2.5, 5 and their tens that is at least the value. */
function roundUp(value) {
  const ten = 10 ** Math.floor(Math.log10(value));
  return ten * ([1, 2, 2.5, 5, 10].find((step) => step * ten >= value) ?? 10);
}

function panel(at, { title, xLabel, points }) {
  const top = 4 * roundUp(Math.max(...points.map(([, y]) => y)) / 4);
  const x = (i) => at + LEFT + (i * (WIDTH - LEFT - RIGHT)) / Math.max(1, points.length - 1);
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const text = (px, py, anchor, content, size = 11) =>
    `<text x="${px.toFixed(1)}" y="${py.toFixed(1)}" text-anchor="${anchor}" font-size="${size}">${content}</text>`;
  const lines = [0, 0.25, 0.5, 0.75, 1].map((share) => share * top);
  return [
    text(at + WIDTH / 2, 18, 'middle', title, 13),
    ...lines.map((value) => {
      const py = y(value).toFixed(1);
      return `<path d="M${at + LEFT} ${py}H${at + WIDTH - RIGHT}" stroke="#ddd"/>${text(at + LEFT - 6, Number(py) + 4, 'end', String(Number(value.toPrecision(3))))}`;
    }),
    ...points.map(([label], i) => text(x(i), HEIGHT - BOTTOM + 16, 'middle', label)),
    text(at + LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 8, 'middle', xLabel),
    `<polyline fill="none" stroke="#1f6feb" stroke-width="2" points="${points.map(([, value], i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`).join(' ')}"/>`,
    ...points.map(
      ([, value], i) => `<circle cx="${x(i).toFixed(1)}" cy="${y(value).toFixed(1)}" r="3" fill="#1f6feb"/>`,
    ),
  ].join('\n');
}

/** @param {{ coordinator?: any[], memory?: any[], shards?: any[] }} results */
export function toSvg({ coordinator = [], memory = [], shards = [] }) {
  const panels = [
    {
      title: 'coordinator, ms a step and shard',
      xLabel: 'shards',
      points: coordinator.map((row) => [row.shards, row.perShardMs]),
    },
    {
      title: 'memory at its peak, MiB',
      xLabel: 'workers (threads)',
      points: memory.map((row) => [row.workers, row.peakMiB]),
    },
    {
      title: 'images a second, 2 workers',
      xLabel: 'images a shard',
      points: shards.map((row) => [row.imagesAShard, row.imagesPerSecond]),
    },
  ].filter(({ points }) => points.length > 0);
  const width = WIDTH * panels.length;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}" font-family="sans-serif" fill="#333">
<title>What Ganglion costs as work grows</title>
<rect width="${width}" height="${HEIGHT}" fill="#fff"/>
${panels.map((given, i) => panel(i * WIDTH, given)).join('\n')}
</svg>
`;
}

const CURVES_WIDTH = 440;

function curvesPanel(at, { title, xLabel, lines }) {
  const values = lines.flatMap(({ points }) => points.map(([, y]) => y));
  const top = 4 * roundUp(Math.max(...values) / 4);
  const last = Math.max(...lines.flatMap(({ points }) => points.map(([x]) => x)));
  const x = (value) => at + LEFT + (value / last) * (CURVES_WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const text = (px, py, anchor, content, size = 11) =>
    `<text x="${px.toFixed(1)}" y="${py.toFixed(1)}" text-anchor="${anchor}" font-size="${size}">${content}</text>`;
  return [
    text(at + LEFT, 18, 'start', title, 13),
    ...[0, 0.25, 0.5, 0.75, 1].map((share) => {
      const py = y(share * top).toFixed(1);
      return `<path d="M${at + LEFT} ${py}H${at + CURVES_WIDTH - RIGHT}" stroke="#ddd"/>${text(at + LEFT - 6, Number(py) + 4, 'end', String(Number((share * top).toPrecision(3))))}`;
    }),
    ...[0, 1, 2, 3].map((i) =>
      text(x((i * last) / 3), HEIGHT - BOTTOM + 16, 'middle', String(Math.round((i * last) / 3))),
    ),
    text(at + LEFT + (CURVES_WIDTH - LEFT - RIGHT) / 2, HEIGHT - 8, 'middle', xLabel),
    ...lines.map(
      ({ colour, width, opacity, points }) =>
        `<polyline fill="none" stroke="${colour}" stroke-width="${width}" opacity="${opacity}" points="${points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(' ')}"/>`,
    ),
  ].join('\n');
}

/**
 * Curves over steps, a panel each, with one legend.
 *
 * @param {{ title: string, legend: { name: string, colour: string }[], panels: any[] }} figure
 */
export function toCurvesSvg({ title, legend, panels }) {
  const width = CURVES_WIDTH * panels.length;
  const keys = legend.map(({ name, colour }, i) => {
    const x = width - RIGHT - 90 * (legend.length - i);
    return `<path d="M${x} 14h18" stroke="${colour}" stroke-width="3"/><text x="${x + 24}" y="18" font-size="12">${name}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}" font-family="sans-serif" fill="#333">
<title>${title}</title>
<rect width="${width}" height="${HEIGHT}" fill="#fff"/>
${keys.join('\n')}
${panels.map((given, i) => curvesPanel(i * CURVES_WIDTH, given)).join('\n')}
</svg>
`;
}
