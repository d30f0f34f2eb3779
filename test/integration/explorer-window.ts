// A Chromium with the exported page, for the tests of it.
import { createRequire } from 'node:module';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { CHROMIUM, type Opened } from './browser.ts';

const require = createRequire(import.meta.url);
/** Arguments for a browser whose WebAssembly rounds a multiply-add twice, as on a processor without the instruction. */
export const NOT_FUSED = ['--js-flags=--no-enable-fma3'];

export function launch(args: readonly string[]): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', ...args] });
}

/** Opens the page at an address, with everything drawn. @param script what runs before the page's own */
export async function openExplorer(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
  script = '',
): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width: 1366, height: 950 }, ...options });
  context.setDefaultTimeout(120_000); // the machine may be busy
  const page = await context.newPage();
  const errors: string[] = [];
  const foreign: string[] = [];
  const requests: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error.stack)));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('request', (request) => {
    requests.push(request.url());
    if (request.url() !== url && !/^(data|blob):/.test(request.url())) foreign.push(request.url());
  });
  await page.addInitScript({ path: require.resolve('axe-core/axe.min.js') });
  await page.addInitScript(script);
  await page.goto(url);
  const text = async (selector: string) => (await page.textContent(selector)) ?? '';
  await settled(page);
  return { page, errors, foreign, requests, text };
}

/** Waits until the generator has started, or cannot, and the map is drawn. */
async function settled(page: Page): Promise<void> {
  await page.waitForSelector('#drawn-by:not(:text-is("Starting"))');
  await mapDrawn(page);
}

/** Waits until the map is that of the shown digit. */
export async function mapDrawn(page: Page): Promise<void> {
  await page.waitForSelector('#map:not(.waiting), body:has(#drawn-by.failed) #map');
}

/** Bytes of the red channel of 28 x 28 pixels of a canvas; the page is grey. */
export const greyOf = ({ page }: Opened, canvas: string, x = 0, y = 0): Promise<number[]> =>
  page.evaluate(
    `[...document.querySelector('${canvas}').getContext('2d').getImageData(${x}, ${y}, 28, 28).data].filter((_, i) => i % 4 === 0)`,
  );
/** The noises' coordinate along a direction, as its slider says it. */
export const coordinate = async ({ text }: Opened, direction: number): Promise<number> =>
  Number((await text(`.direction >> nth=${direction - 1} >> output`)).replace('−', '-'));

/** Float images of the page, [count * 784]. */
export const images = async ({ page }: Opened, seed: number, first: number, count: number): Promise<number[]> =>
  (await page.evaluate<number[][]>(`explorer.images(${seed}, ${first}, ${count})`)).flat();
