// report.html in a real browser, from its file: of a run that has ended, of one that was stopped or killed, and of 100,000 steps.
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../coordinator/images/png.ts';
import { sampleName } from '../../coordinator/run-folder/pictures.ts';
import { expectClean, type Opened, openPage, violationsOf, withoutChromium } from './browser.ts';
import {
  checkpointPath,
  ganglion,
  KERNELS,
  reached,
  SMALL,
  scratchFolder,
  startGanglion,
  stepsOf,
  succeed,
  summaryOf,
} from './ganglion.ts';
import { writeLongRun } from './long-run.ts';

const scratch = scratchFolder('report');
/** As hostile as the name of a folder can be. */
const RUN = scratch(`<img src=x onerror=alert(1)> & "' <script>alert(2)<!--`);
const SCREENSHOTS = process.env.GANGLION_SCREENSHOTS ?? scratch('screenshots');
const DEVICES = [
  ['desktop', { viewport: { width: 1366, height: 900 } }],
  ['phone', { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }],
] as const;
const THEMES = ['light', 'dark'] as const;
const STEPS = 60;

function openReport(run: string, options: Parameters<typeof openPage>[1] = {}): Promise<Opened> {
  return openPage(String(pathToFileURL(join(run, 'report.html'))), options, 'footer');
}

const labels = ({ page }: Opened) => page.$$eval('.plot', (all) => all.map((plot) => plot.getAttribute('aria-label')));

/** Of every plot, whether there is a line of the first colour on its canvas. */
const drawn = ({ page }: Opened) =>
  page.evaluate(`[...document.querySelectorAll('.plot canvas')].map((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let blue = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200 && data[i + 2] - data[i] > 100) blue += 1;
    return blue > 200;
  })`);

const terms = ({ page }: Opened, section: string) =>
  page.$$eval(`${section} dt`, (all) => all.map((dt) => [dt.textContent, dt.nextElementSibling?.textContent]));

beforeAll(async () => {
  const often = ['--samples-every', '10', '--checkpoint-every', '25', '--evaluate-every', '30'];
  await succeed(['train', ...SMALL, '--workers', '2', '--steps', String(STEPS), ...often, '--run', RUN]);
});

describe.skipIf(withoutChromium)('the report of a run', () => {
  let opened: Opened;
  beforeAll(async () => {
    opened = await openReport(RUN);
  });

  afterAll(async () => {
    await expectClean(opened); // also: no script of a name has run
    expect(opened.requests).toEqual([opened.page.url()]); // it has loaded nothing else
  });

  it('says what has come out, and of which run', async () => {
    const { text, page } = opened;
    expect(await text('h1')).toBe(`<img src=x onerror=alert(1)> & "' <script>alert(2)<!--`);
    expect(await text('#state')).toBe('finished');
    expect(await text('.ending')).toMatch(/^finished at step 60 of 60, \d+ images\/s$/);
    const { stateSha256 } = summaryOf(RUN);
    const { dataSha256 } = JSON.parse(readFileSync(join(RUN, 'config.json'), 'utf8'));
    expect(await terms(opened, '.hashes')).toEqual([
      ['State, SHA-256', stateSha256],
      ['Data, SHA-256', dataSha256],
    ]);
    const rows = await page.$$eval('tbody tr', (all) =>
      all.map((row) => [...row.children].map((cell) => cell.textContent)),
    );
    expect(rows.map(([name, step]) => [name, step])).toEqual(
      [60, 50, 25, 0].map((step) => [`step-${String(step).padStart(8, '0')}.safetensors`, String(step)]),
    );
    expect(rows[0]?.[4]).toBe(stateSha256);
    expect(new Set(rows.map(([, , , , hash]) => hash)).size).toBe(4);
    expect(Object.fromEntries(await terms(opened, '.config'))).toMatchObject({ batch: '16', seed: '7', run: RUN });
    const environment = { node: process.version, ...KERNELS, cpu: expect.any(String) };
    expect(Object.fromEntries(await terms(opened, '.environment'))).toMatchObject(environment);
    const kinds = await page.$$eval('#timeline .kind', (all) => all.map((kind) => kind.textContent));
    const expected = ['start', 'checkpoint', 'checkpoint', 'checkpoint', 'end'];
    expect(kinds.filter((kind) => kind !== 'straggler')).toEqual(expected);
  });

  it('draws the curves, which can be zoomed and smoothed', async () => {
    const { page, text } = opened;
    expect(await labels(opened)).toEqual([
      expect.stringMatching(/^Loss, steps 1 to 60; at step 60: D [\d.]+, G [\d.]+$/),
      expect.stringMatching(/^Output of D, steps 1 to 60; at step 60: D\(x\) [\d.]+, D\(G\(z\)\) [\d.]+$/),
      expect.stringMatching(/^Gradient norm, steps 1 to 60; /),
      expect.stringMatching(/^Throughput, steps 1 to 60; /),
    ]);
    expect(await drawn(opened)).toEqual([true, true, true, true]);
    await page.click('#zoom-in');
    expect(await page.inputValue('#shown')).toBe('range');
    await page.selectOption('#shown', 'all');
    await page.focus('#smoothing');
    await page.keyboard.press('ArrowRight');
    expect(await text('#smoothing-text')).toBe('5 steps');
  });

  it('shows how good the samples are: the course of the distance, and a bar a digit', async () => {
    const { page, text } = opened;
    expect(await text('#evaluation-text')).toMatch(
      /^Step 60, 2,048 samples, averaged weights: Fréchet distance [\d.]+ \(real images 0\.\d+, the dashed line\)/,
    );
    const pictures = await page.$$eval('#evaluation svg', (all) => all.map((svg) => svg.getAttribute('aria-label')));
    expect(pictures).toEqual([
      expect.stringMatching(/^Fréchet distance up to step 60, [\d.]+ at most; real images 0\.\d+$/),
      expect.stringMatching(/^Share of every digit among the samples: 0 [\d.]+ %, .*, 9 [\d.]+ %$/),
    ]);
    const counts = await page.$$eval('#evaluation .dot, #evaluation .bar', (all) =>
      all.map((shape) => shape.getAttribute('class')),
    );
    expect(counts).toEqual([...Array(2).fill('dot'), ...Array(10).fill('bar')]);
  });

  it('shows the pictures of the run and an animation of them', async () => {
    const { page } = opened;
    const shown = await page.$$eval('.grids figure', (all) =>
      all.map((figure) => {
        const image = figure.querySelector('img');
        return [figure.textContent?.trim(), image?.naturalWidth, image?.getAttribute('src')?.split(',')[1]];
      }),
    );
    const bytesOf = (name: string) => readFileSync(join(RUN, 'samples', name)).toString('base64');
    expect(shown).toEqual([
      ['After step 60', 238, bytesOf(sampleName(60))],
      ['Real images', 238, bytesOf('real.png')],
      ...[10, 20, 30, 40, 50].map((step) => [String(step), 238, bytesOf(sampleName(step))]),
    ]);
    await page.click('summary');
    const animation = await page.getAttribute('details img', 'src');
    expect(animation).toBe(`data:image/gif;base64,${bytesOf('epochs.gif')}`);
  });

  it('is printed light, whatever the screen is', async () => {
    const visit = await openReport(RUN, { colorScheme: 'dark' });
    const { page } = visit;
    const ground = () => page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--card')");
    const dark = await ground();
    await page.evaluate("dispatchEvent(new Event('beforeprint'))");
    expect(await ground()).toBe('#ffffff');
    expect(await drawn(visit)).toEqual([true, true, true, true]);
    await page.evaluate("dispatchEvent(new Event('afterprint'))");
    expect(await ground()).toBe(dark);
    expect((await page.pdf({ format: 'A4' })).subarray(0, 5).toString('latin1')).toBe('%PDF-');
    await expectClean(visit);
    await page.context().close();
  });

  it.each(DEVICES.flatMap(([device, options]) => THEMES.map((theme) => [device, theme, options] as const)))(
    'can be read on a %s in the %s theme: axe finds nothing serious, nothing is cut',
    async (device, colorScheme, options) => {
      const visit = await openReport(RUN, { ...options, colorScheme });
      expect(await drawn(visit)).toEqual([true, true, true, true]);
      mkdirSync(SCREENSHOTS, { recursive: true });
      await visit.page.screenshot({ path: join(SCREENSHOTS, `report-${device}-${colorScheme}.png`), fullPage: true });
      expect(await violationsOf(visit)).toEqual([]);
      await expectClean(visit);
      await visit.page.context().close();
    },
  );

  it('of a run that has left nearly nothing says what is missing', async () => {
    const { path, metrics } = writeLongRun(scratch('empty'), 9, 1);
    writeFileSync(metrics, '');
    await succeed(['report', path]);
    const visit = await openReport(path);
    expect(await visit.text('.curves')).toContain('No step was logged.');
    expect(await visit.text('.samples')).toContain('No samples were drawn.');
    expect(await violationsOf(visit)).toEqual([]);
    await expectClean(visit);
  });
});

describe('of a run that goes on', () => {
  const run = scratch('goes-on');
  const report = join(run, 'report.html');

  it('is there when it was stopped, gone while it trains, and written again of one that was killed', async () => {
    const args = ['train', ...SMALL, '--workers', '1', '--samples-every', '5', '--steps', '10000', '--run', run];
    const first = startGanglion(args);
    await reached(first, run, 12);
    first.child.kill('SIGINT');
    expect((await first.ended).exitCode).toBe(0);
    expect(readFileSync(report, 'utf8')).toMatch(
      /data-state="stopped">stopped<[\s\S]*stopped at step \d+ of 10000, \d+ images/,
    );
    const second = startGanglion(['train', '--resume', run]);
    await reached(second, run, Number(summaryOf(run).step) + 6);
    expect([existsSync(report), existsSync(join(run, 'samples', 'epochs.gif'))]).toEqual([false, false]);
    second.child.kill('SIGKILL');
    await second.ended;
    expect(await succeed(['report', run])).toBe(`report: ${report}\n`);
    const text = readFileSync(report, 'utf8');
    expect(text).toContain('no end was recorded: killed, or still training');
    expect(text).toContain('This run has no summary');
    expect(text).toContain(`"last":${stepsOf(run).at(-1)},`);
    expect(existsSync(join(run, 'samples', 'epochs.gif'))).toBe(true);
  });
});

it('that cannot be written changes neither exit code nor checkpoint', async () => {
  const run = scratch('obstacle');
  await succeed(['train', ...SMALL, '--workers', '1', '--steps', '1', '--run', run]);
  const resumed = startGanglion(['train', '--resume', run, '--steps', '12']);
  await reached(resumed, run, 2);
  mkdirSync(join(run, 'report.html'));
  const { exitCode, stdout, stderr } = await resumed.ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toMatch(
    /^the report was not written: cannot write .*report\.html: expected a file or nothing there, got a folder$/m,
  );
  expect(summaryOf(run).step).toBe(12);
  expect(existsSync(checkpointPath(run, 12))).toBe(true);
});

describe('of 100,000 steps', () => {
  const LONG = scratch('long');
  /** The log has 29 MiB, the animation 100 of these pictures. */
  const PICTURES = 1200;
  const MOST_BYTES = 220 * 2 ** 20;
  const MOST_FILE_BYTES = 6 * 2 ** 20;

  it('takes memory and a file that do not grow with the run', async () => {
    const { samples, path } = writeLongRun(LONG, 100_000, 70_001);
    let state = 1;
    const noise = () => {
      state = (state * 48271) % 2147483647;
      return state & 255;
    };
    // Noise, which no format makes smaller.
    const png = encodePng({ width: 238, height: 238, pixels: Uint8Array.from({ length: 238 * 238 }, noise) });
    for (let i = 1; i <= PICTURES; i++) writeFileSync(join(samples, sampleName(78 * i)), png);
    const running = startGanglion(['report', path]);
    let peak = 0;
    const watch = (async () => {
      for (; running.child.exitCode === null; await delay(10)) {
        try {
          const status = readFileSync(`/proc/${running.pid}/status`, 'utf8');
          peak = Math.max(peak, 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0));
        } catch {
          return; // it has ended
        }
      }
    })();
    expect(await running.ended).toMatchObject({ exitCode: 0, stderr: '' });
    await watch;
    expect(peak).toBeGreaterThan(50 * 2 ** 20);
    expect(peak).toBeLessThan(MOST_BYTES);
    const { size } = statSync(join(path, 'report.html'));
    expect(size).toBeLessThan(MOST_FILE_BYTES);
    // The curves keep ends and peaks.
    const [, json = ''] = /id="history">(.*?)<\/script>/.exec(readFileSync(join(path, 'report.html'), 'utf8')) ?? [];
    const { steps, curves } = JSON.parse(json);
    expect([steps[0], steps.at(-1)]).toEqual([1, 100_000]);
    expect(steps.length).toBeLessThanOrEqual(1500);
    expect(Math.max(...curves.lossD.max)).toBe(50);
    rmSync(samples, { recursive: true });
  });
});

it('says in a line what is wrong', async () => {
  const missing = await ganglion(['report', scratch('nothing')]);
  expect(missing).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/^ganglion: .*expected the folder of a run.*\n$/),
  });
  expect(existsSync(scratch('nothing'))).toBe(false);
});
