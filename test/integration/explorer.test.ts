// The page that `ganglion export` writes, in Chromium, opened from disk: it draws what `ganglion sample` draws, bit by bit.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFiles } from '../unit/coordinator/data/idx-bytes.ts';
import { expectClean, type Opened, violationsOf, withoutChromium } from './browser.ts';
import { coordinate, greyOf, images, launch, mapDrawn, NOT_FUSED, openExplorer } from './explorer-window.ts';
import { exportRun, largestDifference, PIXELS, ROUNDING } from './exported-run.ts';
import { scratchFolder, succeed } from './ganglion.ts';
import { readNpy } from './npy.ts';

const scratch = scratchFolder('explorer');
/** Where pictures of the page go; looked at by people. */
const SCREENSHOTS = process.env.GANGLION_SCREENSHOTS ?? scratch('screenshots');
const WAIT = { timeout: 120_000, interval: 50 };
/** Four images of 64 x 64 x 3, as a file of idx says it. */
const COLOUR_SHAPE = [4, 64, 64, 3].flatMap((size) => [0, 0, 0, size]);
const SAME_BITS = 'the images are those of ganglion sample, bit by bit';
const DEVICES = [
  ['desktop', { viewport: { width: 1366, height: 950 } }],
  ['phone', { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }],
] as const;

const output = scratch('output');
const PAGE = pathToFileURL(join(output, 'explorer.html')).href;
/** 30 images of seed 3. */
let sampled: Float32Array;

beforeAll(async () => {
  sampled = await exportRun(scratch, scratch('run'), output);
});

describe.skipIf(withoutChromium)('explorer.html', () => {
  let browser: Browser;
  let opened: Opened;

  beforeAll(async () => {
    browser = await launch([]);
    opened = await openExplorer(browser, PAGE);
  });

  afterAll(async () => {
    await browser?.close();
  });

  /** How far the shown digit is from an image of seed 3, in bytes. */
  const distance = async (image: number): Promise<number> => {
    const expected = sampled.subarray(image * PIXELS, (image + 1) * PIXELS);
    return largestDifference(
      await greyOf(opened, '#digit'),
      Array.from(expected, (value) => Math.round((value + 1) * 127.5)),
    );
  };

  /** Has the first program fail to compile, as in a browser that does not know all of its instructions. */
  const NO_RELAXED_SIMD = `
    const instantiate = WebAssembly.instantiate;
    WebAssembly.instantiate = async () => {
      WebAssembly.instantiate = instantiate;
      throw new WebAssembly.CompileError('invalid SIMD opcode');
    };`;
  it.for([
    ['WebAssembly', 'every instruction', [], ''],
    ['WebAssembly without fused multiply-add', 'no fused multiply-add', NOT_FUSED, ''],
    ['WebAssembly without fused multiply-add', 'no relaxed SIMD', [], NO_RELAXED_SIMD],
    ['plain JavaScript', 'no WebAssembly', [], 'delete globalThis.WebAssembly'],
  ] as const)('draws by %s where there is %s', async ([way, , args, script]) => {
    const own = args.length > 0 ? await launch(args) : undefined;
    const visit = await openExplorer(own ?? browser, PAGE, {}, script);
    const text = await visit.text('#drawn-by');
    const drawn = await images(visit, 3, 20, 10);
    const expected = sampled.subarray(20 * PIXELS);
    if (way === 'plain JavaScript') {
      expect(text).toMatch(/^Drawn by plain JavaScript, [\d.]+ ms an image; pixels differ by at most \de-\d from/);
      expect(largestDifference(drawn, expected)).toBeLessThan(ROUNDING);
    } else {
      expect(text).toMatch(new RegExp(`^Drawn by ${way}, [\\d.]+ ms an image; ${SAME_BITS}$`));
      expect(largestDifference(drawn, expected)).toBe(0);
    }
    await expectClean(visit);
    await (own ?? visit.page.context()).close();
  });

  it('draws large images in colour, bit by bit', async () => {
    const [run, folder, file] = [scratch('colour'), scratch('colour-page'), scratch('colour.npy')];
    const pixels = Uint8Array.from({ length: 4 * 64 * 64 * 3 }, (_, i) => i * 31);
    writeFiles(scratch(), { 'images-idx4-ubyte': Buffer.concat([Buffer.of(0, 0, 8, 4, ...COLOUR_SHAPE), pixels]) });
    const model = ['--image-size', '64', '--width', '0.25', '--latent', '8', '--data', scratch('images-idx4-ubyte')];
    const short = ['--workers', '1', '--batch', '4', '--shards', '1', '--steps', '1', '--metrics-port', 'off'];
    await succeed(['train', ...model, ...short, '--ema', '0.5', '--run', run]);
    for (const weights of ['raw', 'ema']) {
      await succeed(['export', '--run', run, '--output', folder, '--weights', weights]);
      await succeed(['sample', '--run', run, '--seed', '3', '--count', '2', '--output', file, '--weights', weights]);
      const visit = await openExplorer(browser, pathToFileURL(join(folder, 'explorer.html')).href);
      expect(await visit.text('#drawn-by')).toContain(SAME_BITS);
      expect(largestDifference(await images(visit, 3, 0, 2), readNpy(file))).toBe(0);
      await expectClean(visit);
      await visit.page.context().close();
    }
  });

  it('refuses to draw what ganglion sample would not', async () => {
    const html = readFileSync(join(output, 'explorer.html'), 'utf8');
    const [, weights = ''] = /id="weights">([^<]*)</.exec(html) ?? [];
    // Two pieces of the first layer, of 3,000 bytes each, change places.
    const [one, other] = [weights.slice(160, 4160), weights.slice(8160, 12_160)];
    const wrong = weights.slice(0, 160) + other + weights.slice(4160, 8160) + one + weights.slice(12_160);
    expect(html.split(weights).length).toBe(2);
    writeFileSync(scratch('wrong.html'), html.replace(weights, wrong));
    const visit = await openExplorer(browser, pathToFileURL(scratch('wrong.html')).href);
    const wrongly = 'it computes wrong: pixels differ by [\\d.]+ from ganglion sample';
    expect(await visit.text('#drawn-by')).toMatch(
      new RegExp(
        `^Nothing here can run the generator\\. WebAssembly: ${wrongly}; .*; plain JavaScript: ${wrongly}\\.$`,
      ),
    );
    await visit.page.context().close();
  });

  it('opens on the clearest digit of the gallery, and the path leads to three more', async () => {
    const visit = await openExplorer(browser, PAGE);
    const { page, text } = visit;
    const names = await page.$$eval('#path button', (all) =>
      all.map((button) => button.getAttribute('aria-label') ?? ''),
    );
    const [shown] = await page.$$eval('#tiles [aria-pressed="true"]', (all) =>
      all.map((tile) => tile.getAttribute('aria-label')),
    );
    expect(await text('#digit-text')).toMatch(/^Seed 1, image \d+$/);
    expect(shown).toBe(await text('#digit-text'));
    expect(names.filter((name) => /: Seed 1, image \d+$/.test(name))).toHaveLength(4);
    expect(names[0]).toBe(`Image 1 of the path: ${shown}`);
    await page.context().close();
  });

  it('shows digits of a seed by number, and saves them as ganglion sample does', async () => {
    const { page, text } = opened;
    await page.fill('#seed', '3');
    await page.keyboard.press('Enter');
    await expect.poll(() => text('#gallery-text')).toBe('Seed 3, images 0 to 23: what ganglion sample --seed 3 draws.');
    await expect.poll(() => page.isEnabled('#save-all'), WAIT).toBe(true);
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#save-all')]);
    expect(download.suggestedFilename()).toBe('seed-3-images-0-23.png');
    const saved = PNG.sync.read(readFileSync(await download.path()));
    const expected = PNG.sync.read(readFileSync(scratch('seed3.png')));
    expect([saved.width, saved.height]).toEqual([expected.width, expected.height]);
    expect(largestDifference(saved.data, expected.data)).toBe(0);

    await page.click('[aria-label="Seed 3, image 20"]');
    expect(await text('#digit-text')).toBe('Seed 3, image 20');
    expect(await page.getAttribute('[aria-label="Seed 3, image 20"]', 'aria-pressed')).toBe('true');
    await page.click('#later');
    expect(await page.inputValue('#first')).toBe('24');
    expect(await text('#last')).toBe('to 47');
    await page.fill('#seed', '1.5');
    await page.keyboard.press('Enter');
    expect(await text('#gallery-text')).toBe('Expected a whole number from 0 to 9007199254740991.');
    await page.click('#new');
    expect(await text('#digit-text')).toMatch(/^Seed \d+, image 0$/);
    expect(await text('#digit-text')).toContain(`Seed ${await page.inputValue('#seed')},`);
  });

  it('saves the digit as it is shown, every pixel a square', async () => {
    const { page } = opened;
    await page.fill('#first', '0');
    await page.fill('#seed', '3');
    await page.keyboard.press('Enter');
    await page.click('[aria-label="Seed 3, image 7"]');
    await expect.poll(() => distance(7), WAIT).toBeLessThanOrEqual(1);
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#save')]);
    expect(download.suggestedFilename()).toBe('seed-3-image-7.png');
    const { width, height, data } = PNG.sync.read(readFileSync(await download.path()));
    expect([width, height]).toEqual([280, 280]);
    const shown = await greyOf(opened, '#digit');
    for (let y = 0; y < 280; y++) {
      for (let x = 0; x < 280; x++) {
        const pixel = shown[Math.floor(y / 10) * 28 + Math.floor(x / 10)];
        const at = 4 * (y * 280 + x);
        if (data[at] !== pixel || data[at + 1] !== pixel || data[at + 3] !== 255) expect([x, y]).toBe('as shown');
      }
    }
  });

  it('moves the digit by sliders, on the map by pointer and keys, and back', async () => {
    const { page, text } = opened;
    const start = await Promise.all([1, 2, 3].map((direction) => coordinate(opened, direction)));
    await page.focus('#direction-3');
    await page.keyboard.press('End');
    expect(await coordinate(opened, 3)).toBe(4);
    expect(await text('#digit-text')).toBe('Seed 3, image 7, moved');
    // The others stay: the directions are at right angles.
    expect([await coordinate(opened, 1), await coordinate(opened, 2)]).toEqual(start.slice(0, 2));
    await expect.poll(() => distance(7), WAIT).toBeGreaterThan(10);

    const box = await page.locator('#map').boundingBox();
    if (!box) throw new Error('expected a map');
    const at = (x: number, y: number) => [box.x + box.width * x, box.y + box.height * y] as const;
    await page.mouse.move(...at(0.5, 0.5));
    await page.mouse.down();
    expect(await coordinate(opened, 1)).toBeCloseTo(0, 1);
    await page.mouse.move(...at(5 / 6, 1 / 6), { steps: 4 });
    await page.mouse.up();
    // The map is 9 digits wide, 0.75 apart.
    expect(await coordinate(opened, 1)).toBeCloseTo(2.25, 1);
    expect(await coordinate(opened, 2)).toBeCloseTo(2.25, 1);
    await page.mouse.move(...at(0.1, 0.1));
    expect(await coordinate(opened, 1)).toBeCloseTo(2.25, 1);
    await mapDrawn(page);
    // 2.25 is the eighth place across, and the second from the top.
    const onMap = await greyOf(opened, '#map-picture', 7 * 28, 28);
    expect(largestDifference(onMap, await greyOf(opened, '#digit'))).toBeLessThan(10);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Shift+ArrowDown');
    expect(await coordinate(opened, 1)).toBeCloseTo(2.15, 1);
    expect(await coordinate(opened, 2)).toBeCloseTo(1.5, 1);
    expect(await page.getAttribute('#place', 'aria-valuetext')).toMatch(/^Direction 1 2\.\d, Direction 2 1\.\d$/);

    await page.selectOption('#across', '1');
    expect(await page.inputValue('#up')).toBe('0'); // they have changed places
    await page.click('#reset');
    expect(await text('#digit-text')).toBe('Seed 3, image 7');
    await expect.poll(() => distance(7), WAIT).toBeLessThanOrEqual(1);
    expect(await page.isDisabled('#reset')).toBe(true);
  });

  it('goes from digit to digit by slider, and by itself to and fro', async () => {
    const { page, text } = opened;
    const along = async () => Number(await page.inputValue('#along'));
    await page.click('#clear');
    expect(await page.isDisabled('#play')).toBe(true);
    for (const image of [4, 5]) {
      await page.click(`[aria-label="Seed 3, image ${image}"]`);
      await page.click('#add');
    }
    await page.focus('#along');
    await page.keyboard.press('End');
    expect(await text('#digit-text')).toBe('Image 2 of the path');
    await expect.poll(() => distance(5), WAIT).toBeLessThanOrEqual(1);
    await page.click('#play');
    expect(await text('#play')).toBe('Pause');
    await expect.poll(along, WAIT).toBeLessThan(0.4);
    await expect.poll(along, WAIT).toBeGreaterThan(0.6);
    expect(await text('#digit-text')).toMatch(/^Path, \d+ % of the way from image 1 to 2$/);
    await page.focus('#direction-1');
    await page.keyboard.press('Home');
    expect(await text('#play')).toBe('Play'); // a person has taken over
    expect(await text('#digit-text')).toMatch(/^Path, .*, moved$/);
    await page.click('[aria-label="Take image 1 off the path"]');
    expect(await page.$$eval('#path li', (all) => all.length)).toBe(1);
    await mapDrawn(page);
    await expectClean(opened);
  });

  it('shows a path in single pictures to who wants less motion', async () => {
    const visit = await openExplorer(browser, PAGE, { reducedMotion: 'reduce' });
    await visit.page.click('#play');
    const seen = new Set<string>();
    const look = async () => seen.add(await visit.page.inputValue('#along')).size;
    await expect.poll(look, WAIT).toBe(3);
    expect([...seen]).toEqual(['0', '0.25', '0.5']);
    await visit.page.context().close();
  });

  it.each(DEVICES.flatMap(([device, options]) => ['light', 'dark'].map((theme) => [device, theme, options] as const)))(
    'can be used on a %s in the %s theme: axe finds nothing serious, nothing is cut',
    async (device, theme, options) => {
      const visit = await openExplorer(browser, PAGE, { ...options, colorScheme: theme as 'light' | 'dark' });
      mkdirSync(SCREENSHOTS, { recursive: true });
      await visit.page.screenshot({ path: join(SCREENSHOTS, `explorer-${device}-${theme}.png`) });
      expect(await violationsOf(visit)).toEqual([]);
      const cut = await visit.page.$$eval(
        'button, select, input, .frame',
        (all, width) => all.filter((one) => one.getBoundingClientRect().right > width).map((one) => one.id),
        options.viewport.width,
      );
      expect(cut).toEqual([]);
      await expectClean(visit);
      await visit.page.context().close();
    },
  );

  it('may load nothing: not from the network, not from its own folder', async () => {
    const visit = await openExplorer(browser, PAGE);
    const refused = await visit.page.evaluate<string[]>(`(async (urls) => {
      const blocked = [];
      document.addEventListener('securitypolicyviolation', ({ blockedURI }) => blocked.push(blockedURI));
      for (const url of urls) await fetch(url).catch(() => {});
      new Image().src = urls[0];
      await new Promise((resolve) => setTimeout(resolve, 100));
      return blocked;
    })(['https://example.org/a', 'http://127.0.0.1:9/b', 'model.json'])`);
    expect(refused.sort()).toEqual(['file', 'http://127.0.0.1:9/b', 'https://example.org/a', 'https://example.org/a']);
    await visit.page.context().close();
  });
});
