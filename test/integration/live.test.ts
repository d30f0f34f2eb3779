// The live page in a real browser, while a run trains: nothing is loaded again, whatever happens to replicas and coordinator.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectClean, type Opened, openPage, stepOf, violationsOf, withoutChromium } from './browser.ts';
import { freePort, type Running, reached, scratchFolder, startGanglion } from './ganglion.ts';

const scratch = scratchFolder('live');
const RUN = scratch('run');
/** Where pictures of the page go; looked at by people. */
const SCREENSHOTS = process.env.GANGLION_SCREENSHOTS ?? scratch('screenshots');
const WAIT = { timeout: 120_000, interval: 100 };
const DEVICES = [
  ['desktop', { viewport: { width: 1366, height: 900 } }],
  ['phone', { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }],
] as const;
const THEMES = ['light', 'dark'] as const;

let port: number;
let url: string;
let run: Running;
let opened: Opened;

const rows = () =>
  opened.page.$$eval('#replicas tr', (all) =>
    all.map((row) => [...row.children].map((cell) => cell.textContent ?? '')),
  );
const kinds = () => opened.page.$$eval('#timeline .kind', (all) => all.map((kind) => kind.textContent));

describe.skipIf(withoutChromium)('the live page', () => {
  beforeAll(async () => {
    port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const args = ['--batch', '16', '--workers', '2', '--isolation', 'process', '--seed', '7', '--steps', '100000'];
    const records = [
      '--samples-every',
      '20',
      // Seldom enough that the timeline, which shows the last 300 events, never loses the first.
      '--checkpoint-every',
      '200',
      '--evaluate-every',
      '200',
      '--metrics-port',
      String(port),
      '--run',
      RUN,
    ];
    run = startGanglion(['train', ...args, ...records]);
    await run.said(/^live page: http:\/\/localhost:\d+\/$/m);
    await reached(run, RUN, 25);
    opened = await openPage(url);
    // Gone when the page is loaded again.
    await opened.page.evaluate('globalThis.sameVisit = true');
  });

  afterAll(async () => {
    run.child.kill('SIGKILL');
    await run.ended;
  });

  it('goes on with the run without being loaded again', async () => {
    const { page, text } = opened;
    expect(await text('#name')).toBe('run');
    expect(await text('#state')).toBe('training');
    const step = await stepOf(opened);
    await expect.poll(() => stepOf(opened), WAIT).toBeGreaterThan(step + 20);
    expect(await page.getAttribute('.plot >> nth=0', 'aria-label')).toMatch(
      /^Loss, steps 1 to \d+; at step \d+: D [\d.]+, G [\d.]+$/,
    );
    expect(await page.$$eval('.plot canvas', (all) => all.length)).toBe(4);
  });

  it('shows the newest picture, and those before with the slider and in turn', async () => {
    const { page, text } = opened;
    await expect.poll(() => page.evaluate('picture.naturalWidth'), WAIT).toBe(238);
    await expect.poll(() => page.getAttribute('#picture-at', 'max').then(Number), WAIT).toBeGreaterThan(2);
    await page.focus('#picture-at');
    await page.keyboard.press('Home');
    await expect.poll(() => text('#picture-text'), WAIT).toMatch(/^After step 20, 1 of/);
    expect(await page.getAttribute('#picture-at', 'aria-valuetext')).toBe('step 20');
    // A picture stays for a moment only, and the last one ends the play: what was shown is noted in the page.
    await page.evaluate(`
      globalThis.shown = [];
      const [picture, play] = ['picture-text', 'play'].map((id) => document.getElementById(id));
      new MutationObserver(() => shown.push(play.textContent + ': ' + picture.textContent)).observe(picture, { childList: true });
      play.click();`);
    const shown = async () => ((await page.evaluate('shown')) as string[]).slice(0, 2);
    const inTurn = [/^Pause: After step 40, 2 of/, /^Pause: After step 60, 3 of/];
    await expect.poll(shown, WAIT).toEqual(inTurn.map((one) => expect.stringMatching(one)));
    await page.click('#newest');
    expect(await text('#play')).toBe('Play');
    await page.click('#real');
    await expect.poll(() => page.getAttribute('#picture', 'src'), WAIT).toContain('samples/real.png');
    await page.click('#real');
  });

  it('shows an evaluation once it is there', async () => {
    const { page } = opened;
    const dots = () => page.$$eval('#evaluation .dot', (all) => all.length);
    await expect.poll(dots, WAIT).toBeGreaterThan(0);
    expect(await page.isVisible('#evaluation-title')).toBe(true);
    expect(await page.$$eval('#evaluation .bar', (all) => all.length)).toBe(10);
  });

  it('zooms, back to all, and smooths', async () => {
    const { page } = opened;
    const label = async () => (await page.getAttribute('.plot >> nth=3', 'aria-label')) ?? '';
    const over = await page.locator('.u-over').nth(1).boundingBox();
    if (!over) throw new Error('expected a plot');
    const y = over.y + over.height / 2;
    await page.mouse.move(over.x + over.width * 0.25, y);
    await page.mouse.down();
    await page.mouse.move(over.x + over.width * 0.5, y, { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => page.inputValue('#shown'), WAIT).toBe('range');
    await expect.poll(label, WAIT).not.toContain('steps 1 to');
    const zoomed = (await label()).split(';')[0];
    await page.dblclick('.u-over >> nth=1');
    await expect.poll(label, WAIT).toContain('steps 1 to');
    expect(await page.inputValue('#shown')).toBe('all');
    expect(zoomed).toMatch(/steps \d+ to \d+/);
    await page.click('#zoom-in');
    expect(await page.inputValue('#shown')).toBe('range');
    await page.selectOption('#shown', 'all');
    await page.focus('#smoothing');
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowRight');
    expect(await opened.text('#smoothing-text')).toBe('20 steps');
  });

  it('shows a replica that is killed, and its successor', async () => {
    await expect.poll(async () => (await rows()).map(([, state]) => state), WAIT).toEqual(['working', 'working']);
    const before = await rows();
    const pid = Number(before[1]?.[6]);
    process.kill(pid, 'SIGKILL');
    await expect.poll(async () => (await rows())[1]?.[4], WAIT).toBe('1');
    await expect.poll(async () => (await rows())[1]?.slice(1, 2), WAIT).toEqual(['working']);
    const [, second] = await rows();
    expect(Number(second?.[6])).not.toBe(pid);
    expect(second?.[3]).toMatch(/^[\d.]+ ms$/);
    await expect.poll(kinds, WAIT).toEqual(expect.arrayContaining(['lost', 'restarted', 'start']));
    await expect.poll(() => opened.text('#restarts'), WAIT).toBe('1');
  });

  it('asks for a checkpoint and for another number of workers, and says what is refused', async () => {
    const { page, text } = opened;
    const count = async () => (await kinds()).filter((kind) => kind === 'checkpoint').length;
    const before = await count();
    await page.click('#checkpoint');
    await expect.poll(() => text('#answer'), WAIT).toBe('A checkpoint is written after this step.');
    await expect.poll(count, WAIT).toBeGreaterThan(before);
    await page.fill('#workers', '9');
    await page.click('#resize');
    await expect.poll(() => text('#answer'), WAIT).toBe('Refused: count: expected a whole number from 1 to 4, got 9');
    await page.fill('#workers', '3');
    await page.keyboard.press('Enter');
    await expect.poll(async () => (await rows()).map(([, state]) => state), WAIT).toEqual(Array(3).fill('working'));
    expect(await kinds()).toContain('resize');
  });

  it('comes back after the coordinator was killed and started again', async () => {
    const { page, text } = opened;
    run.child.kill('SIGKILL');
    await run.ended;
    await expect.poll(() => text('#connection'), WAIT).toBe('Connection lost, trying again.');
    const step = await stepOf(opened);
    run = startGanglion(['train', '--resume', RUN, '--workers', '2', '--metrics-port', String(port)]);
    await expect.poll(() => text('#connection'), WAIT).toBe('');
    await expect.poll(kinds, WAIT).toEqual(expect.arrayContaining(['resume', 'lost', 'start']));
    await expect.poll(() => stepOf(opened), WAIT).toBeGreaterThan(step);
    expect(await page.getAttribute('.plot >> nth=0', 'aria-label')).toContain('steps 1 to');
    expect(await page.evaluate('globalThis.sameVisit')).toBe(true);
  });

  it.each(DEVICES.flatMap(([device, options]) => THEMES.map((theme) => [device, theme, options] as const)))(
    'can be used on a %s in the %s theme: axe finds nothing serious, nothing is cut',
    async (device, colorScheme, options) => {
      const visit = await openPage(url, { ...options, colorScheme });
      await expect.poll(() => visit.page.isVisible('#picture'), WAIT).toBe(true);
      await expect.poll(async () => (await visit.page.$$('#replicas tr')).length, WAIT).toBe(2);
      mkdirSync(SCREENSHOTS, { recursive: true });
      await visit.page.screenshot({ path: join(SCREENSHOTS, `live-${device}-${colorScheme}.png`), fullPage: true });
      expect(await violationsOf(visit)).toEqual([]);
      await expectClean(visit);
      expect(
        await visit.page.$eval('#replica-table', ({ scrollWidth, clientWidth }) => scrollWidth - clientWidth),
      ).toBe(0);
      await visit.page.context().close();
    },
  );

  it('stops the run when asked twice, and says that it has ended', async () => {
    const { page, text } = opened;
    await page.click('#stop');
    await page.click('#stop-no');
    expect(await text('#state')).toBe('training');
    await page.click('#stop');
    expect(await violationsOf(opened)).toEqual([]);
    await page.click('#stop-yes');
    const { exitCode, stderr, stdout } = await run.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^stopped at step \d+ of 100000/m);
    await expect.poll(() => text('#state'), WAIT).toBe('stopped');
    await expect.poll(() => text('#connection'), WAIT).toBe(`The run has ended; ganglion view ${RUN} shows it.`);
    expect((await kinds()).slice(0, 5)).toEqual(expect.arrayContaining(['stop', 'checkpoint', 'end']));
    await expectClean(opened);
  });

  it('opens the run that has stopped from its files', async () => {
    const view = startGanglion(['view', RUN, '--port', '0']);
    const [, at] = await view.said(/^run: http:\/\/localhost:(\d+)\/ \(Ctrl-C ends\)$/m);
    const visit = await openPage(`http://127.0.0.1:${at}`);
    expect(await visit.text('#state')).toBe('stopped');
    expect(await stepOf(visit)).toBe(await stepOf(opened));
    expect(await visit.page.isVisible('#control')).toBe(false);
    expect(await visit.page.$$eval('#timeline .kind', (all) => all.map((kind) => kind.textContent))).toEqual(
      await kinds(),
    );
    await expect.poll(() => visit.page.isVisible('#picture'), WAIT).toBe(true);
    expect(await visit.text('#config')).toContain('stateSha256');
    expect([await opened.page.isVisible('#animation'), await visit.page.isVisible('#animation')]).toEqual([
      false,
      true,
    ]);
    const animation = await fetch(
      new URL((await visit.page.getAttribute('#animation', 'href')) ?? '', visit.page.url()),
    );
    expect(Buffer.from(await animation.arrayBuffer()).toString('latin1', 0, 6)).toBe('GIF89a');
    expect(await violationsOf(visit)).toEqual([]);
    await expectClean(visit);
    view.child.kill('SIGINT');
    expect(await view.ended).toMatchObject({ exitCode: 0, stderr: '' });
  });
});
