// A page as a replica: a real Chromium lends its processor to a run, and leaves in the middle; a client that lies is found. The steps of the
// run wait for what the test waits for, so that nothing has to come in time.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { TrainOptions } from '../../coordinator/library/api.ts';
import type { Status } from '../../coordinator/monitoring/status.ts';
import { LentReplica } from '../../dashboards/lend/lent-replica.ts';
import { LEND_PROTOCOL } from '../../shared/page-protocol.ts';
import { loadWasm } from '../../workers/engines/wasm/module.ts';
import { expectClean, openPage, violationsOf, withoutChromium } from '../integration/browser.ts';
import { REPOSITORY, scratchFolder } from '../integration/ganglion.ts';

type Library = typeof import('../../coordinator/library/ganglion.ts');
const { train }: Library = await import(pathToFileURL(join(REPOSITORY, 'dist/coordinator/library/ganglion.js')).href);

const scratch = scratchFolder('page-replica');
const WAIT = { timeout: 120_000, interval: 50 };
const MODEL = { batch: 64, shards: 4, latent: 16, seed: 7, workers: 1, evaluateEvery: 'off' } as const;
const STEPS = 24;

/** The hash of the run without pages, by the kernels of this processor. */
let quietHash: string;
beforeAll(async () => {
  const training = train({ ...MODEL, steps: STEPS });
  for await (const _ of training);
  quietHash = await training.stateSha256();
});

/** A run that waits after every step for what `onStep` does. @returns its hash and its events */
async function trainWith(
  name: string,
  settings: TrainOptions,
  onStep: (step: number, url: string) => Promise<void>,
): Promise<{ readonly hash: string; readonly events: string }> {
  let url = '';
  const run = scratch(name);
  const onNotice = (text: string): void => {
    url = /^live page: (http:.*)$/.exec(text)?.[1]?.replace('localhost', '127.0.0.1') ?? url;
  };
  const training = train({ ...MODEL, steps: STEPS, metricsPort: 0, pageReplicas: 2, run, onNotice, ...settings });
  for await (const { step } of training) await onStep(step, url);
  return { hash: await training.stateSha256(), events: readFileSync(join(run, 'events.jsonl'), 'utf8') };
}

async function pageOf(url: string): Promise<Status['replicas'][number] | undefined> {
  const status = (await (await fetch(`${url}api/status`)).json()) as Status;
  return status.replicas.find(({ kind }) => kind === 'page');
}

const isHere = (url: string) => expect.poll(async () => (await pageOf(url)) !== undefined, WAIT);

describe.skipIf(withoutChromium)('a page in Chromium', () => {
  it('lends its processor, counts, leaves in the middle, and the hash is that of the quiet run', async () => {
    let opened: Awaited<ReturnType<typeof openPage>> | undefined;
    let counted = 0;
    // By the same kernels as the page, it is no faster than that.
    const settings = { backend: 'wasm', pageAudit: 0, apiToken: 'a-token' } as const;
    const { hash, events } = await trainWith('chromium', settings, async (step, url) => {
      if (step === 2) {
        opened = await openPage(url, { viewport: { width: 390, height: 800 } });
        const { page, text } = opened;
        await page.click('#lend');
        await expect
          .poll(() => text('#lent'), WAIT)
          .toMatch(/^Ended: expected the header "Authorization: Bearer TOKEN"/);
        await page.fill('#token', 'a-token');
        await page.click('#lend');
        await expect.poll(() => text('#lent'), WAIT).toBe('Lending 1 worker.');
        await isHere(url).toBe(true);
        expect(await violationsOf(opened)).toEqual([]);
      }
      if (!opened || opened.page.isClosed()) return;
      counted = (await pageOf(url))?.shards ?? 0;
      if (counted < 3) return;
      await expectClean(opened);
      await expect.poll(() => opened?.text('#lend-hint'), WAIT).toMatch(/^\d+ shards computed/);
      // The run goes on at once: shards of the page are under way when it notices.
      void opened.page.context().close();
    });
    expect(hash).toBe(quietHash);
    expect(counted).toBeGreaterThanOrEqual(3);
    expect(events).toMatch(/"kind":"page","text":"page 1000 lends its processor: kernels-wasm"/);
    expect(events).toMatch(/"page 1000 lends no more, after \d+ shards that counted: has left"/);
    expect(events).not.toMatch(/"kind":"(lost|restarted)"/);
  });
});

it('a client that lies is found where all is compared, and changes nothing', async () => {
  let socket: WebSocket | undefined;
  const { hash, events } = await trainWith('liar', {}, async (step, url) => {
    // In the step after that, it got a shard.
    if (step === 4) await expect.poll(() => socket?.readyState, WAIT).toBe(WebSocket.CLOSED);
    if (step !== 2) return;
    const asked = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
    const { ticket } = (await (await fetch(`${url}api/lend`, asked)).json()) as { ticket: string };
    const client = new WebSocket(`${url.replace('http', 'ws')}api/lend`, [LEND_PROTOCOL, ticket]);
    socket = client;
    const replica = new LentReplica({
      kernels: loadWasm('fused').exports,
      send(frame) {
        const last = frame.length - 2;
        if (frame.length > 10_000) frame[last] = (frame[last] ?? 0) ^ 1; // a bit of the last value
        client.send(frame);
      },
    });
    client.on('message', (data: Buffer) => void replica.take(data).catch(() => client.terminate()));
    await isHere(url).toBe(true);
  });
  expect(hash).toBe(quietHash);
  expect(events).toMatch(
    /"page 1000 lends no more, after 0 shards that counted: .*other bits than this machine has computed"/,
  );
});
