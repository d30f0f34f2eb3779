// A Chromium with the exported page, for the tests of it.
import { createRequire } from 'node:module';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { CHROMIUM, type Opened } from './browser.ts';

const require = createRequire(import.meta.url);
/** Arguments for a browser with every backend, in software; and for one that has neither WebGPU nor WebGL. */
export const EVERY_BACKEND = [
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--enable-features=Vulkan',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
];
export const NO_GPU = ['--disable-gpu', '--disable-webgl', '--disable-webgl2', '--disable-software-rasterizer'];

export function launch(args: readonly string[]): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', ...args] });
}

/** Opens the page at an address, with everything drawn. */
export async function openExplorer(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
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
  await page.goto(url);
  const text = async (selector: string) => (await page.textContent(selector)) ?? '';
  await settled(page);
  return { page, errors, foreign, requests, text };
}

/** Waits until a backend has started, or none could, and the map is drawn. */
export async function settled(page: Page): Promise<void> {
  await page.waitForSelector('#backend:enabled');
  await page.waitForSelector('#map:not(.waiting), body:has(#backend-text.failed) #map');
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
