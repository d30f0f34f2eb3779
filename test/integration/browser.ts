// A real Chromium with the live page, for the tests of it. Debian's package `chromium` brings it: CI must have it.
import { createRequire } from 'node:module';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, expect } from 'vitest';
import { isInstalled } from './ganglion.ts';

export const CHROMIUM = '/usr/bin/chromium';
const hasChromium = isInstalled(CHROMIUM, '--version');
/** Whether tests that need a browser must be skipped. */
export const withoutChromium = !hasChromium && !process.env.CI;
if (withoutChromium) console.warn(`tests of the pages are skipped: there is no ${CHROMIUM} (apt-get install chromium)`);

const require = createRequire(import.meta.url);
const AXE = require.resolve('axe-core/axe.min.js');
let browser: Promise<Browser> | undefined;

afterAll(async () => {
  await (await browser)?.close();
});

/** A page that was opened, and what it has done that it should not. */
export interface Opened {
  readonly page: Page;
  /** Errors of its code, and of the policy that forbids to load from elsewhere. */
  readonly errors: string[];
  /** Addresses that are not the coordinator's. */
  readonly foreign: string[];
  /** Every address asked for, in order. */
  readonly requests: string[];
  /** Text of an element. */
  readonly text: (selector: string) => Promise<string>;
}

/** What the live page has once it knows the run. */
const READY = '#step:not(:text-is("–"))';

/** Opens an address in a window of its own. @param ready a selector of what is there once the page can be used */
export async function openPage(url: string, options: BrowserContextOptions = {}, ready = READY): Promise<Opened> {
  browser ??= chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  const context = await (await browser).newContext({ viewport: { width: 1366, height: 900 }, ...options });
  context.setDefaultTimeout(120_000); // the machine may be busy
  const page = await context.newPage();
  const errors: string[] = [];
  const foreign: string[] = [];
  const requests: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error.stack)));
  page.on('console', (message) => {
    // That a request fails while the coordinator is away is no error of the page.
    const expected = /Failed to load resource: (net::ERR_|the server responded with a status of 40[0-9])/;
    if (message.type() === 'error' && !expected.test(message.text())) errors.push(message.text());
  });
  page.on('request', (request) => {
    requests.push(request.url());
    if (new URL(request.url()).origin !== new URL(url).origin) foreign.push(request.url());
  });
  await page.addInitScript({ path: AXE });
  await page.goto(url);
  await page.waitForSelector(ready);
  const text = async (selector: string) => (await page.textContent(selector)) ?? '';
  return { page, errors, foreign, requests, text };
}

/** The number of steps that the page shows. */
export async function stepOf({ text }: Opened): Promise<number> {
  return Number((await text('#step')).split('/')[0]?.replaceAll(',', ''));
}

/** What axe finds that is serious or critical, as `rule: element`. */
export async function violationsOf({ page }: Opened): Promise<string[]> {
  return await page.evaluate(async () => {
    type Found = { id: string; impact: string; nodes: { html: string; failureSummary: string }[] };
    const { axe } = globalThis as unknown as { axe: { run: () => Promise<{ violations: Found[] }> } };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
  });
}

/** Fails when the page has an error, loads from elsewhere, or is wider than its window. */
export async function expectClean({ page, errors, foreign }: Opened): Promise<void> {
  expect(errors).toEqual([]);
  expect(foreign).toEqual([]);
  expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
}
