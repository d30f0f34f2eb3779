// `ganglion view` of a run of 100,000 steps, whose log is made up.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { LiveHistory } from '../../shared/live-protocol.ts';
import { expectClean, openPage, withoutChromium } from './browser.ts';
import { ganglion, type Running, scratchFolder, snapshot, startGanglion } from './ganglion.ts';
import { writeLongRun } from './long-run.ts';

const scratch = scratchFolder('view');
const RUN = scratch('long');
const STEPS = 100_000;
/** A step that stands out. */
const PEAK = 70_001;
const WAIT = { timeout: 120_000, interval: 50 };
/** It takes some 90 MiB; the log alone has 29 MiB, and more as objects. */
const MOST_BYTES = 200 * 2 ** 20;

let view: Running;
let url: string;
let before: Record<string, string>;

beforeAll(async () => {
  writeLongRun(RUN, STEPS, PEAK);
  before = snapshot(RUN);
  view = startGanglion(['view', RUN, '--port', '0', '--allowed-hosts', '.example.org', '--base-path', '/gan/']);
  const [, port] = await view.said(/^long: http:\/\/localhost:(\d+)\/ \(Ctrl-C ends\)$/m);
  url = `http://127.0.0.1:${port}`;
});

afterAll(async () => {
  view.child.kill('SIGTERM');
  expect(await view.ended).toMatchObject({ exitCode: 0, stderr: '' });
  expect(snapshot(RUN)).toEqual(before);
});

async function history(query: string): Promise<LiveHistory> {
  return (await (await fetch(`${url}/api/history${query}`)).json()) as LiveHistory;
}

it('thins 100,000 steps to the points asked for, and keeps ends and peaks', async () => {
  for (const points of [4, 500, 2000]) {
    const { steps, last, curves } = await history(`?points=${points}`);
    expect(last).toBe(STEPS);
    expect([steps[0], steps.at(-1)]).toEqual([1, STEPS]);
    for (const { mean, min, max } of Object.values(curves)) {
      for (const values of [mean, min, max]) expect(values).toHaveLength(steps.length);
    }
    expect(steps.length).toBeLessThanOrEqual(points);
    expect(steps.length).toBeGreaterThan(points / 4);
    expect(Math.max(...curves.lossD.max.map(Number))).toBe(50);
  }
  const zoomed = await history('?from=69000&to=71000&points=2000');
  expect(zoomed.steps.length).toBeGreaterThan(100);
  expect(Math.max(...zoomed.curves.lossD.max.map(Number))).toBe(50);
});

it('does not hold the log in memory', async () => {
  for (let i = 0; i < 20; i++) await history('?points=2000');
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${view.pid}/status`, 'utf8'))?.[1];
  expect(Number(peak) * 1024).toBeLessThan(MOST_BYTES);
});

/** A proxy that shows the server under a path of its own, as JupyterHub does, or passes the path on. @returns its address */
async function proxied(path: string, strips: boolean): Promise<string> {
  const proxy = createServer((incoming, outgoing) => {
    const { method, headers, url: target = '' } = incoming;
    if (!target.startsWith(path)) return outgoing.writeHead(404).end();
    const passed = strips ? target.slice(path.length - 1) : target;
    const through = request(new URL(passed, url), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    outgoing.on('close', () => through.destroy());
    through.on('error', () => outgoing.destroy());
    return incoming.pipe(through);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${path}`;
}

it('is served under the names of --allowed-hosts, and under no other', async () => {
  const statusOf = (host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const asked = request(url, { headers: { host } }, (answer) => resolve(answer.resume().statusCode));
      asked.on('error', reject).end();
    });
  expect(await statusOf('gan.example.org')).toBe(200);
  expect(await statusOf('evil.example')).toBe(403);
});

describe.skipIf(withoutChromium)('the page of 100,000 steps', () => {
  it.each([
    ['/user/ann/proxy/9556/', true],
    ['/gan/', false],
  ])('can be shown under a path: %s, which a proxy takes away: %j', async (path, strips) => {
    const visit = await openPage(await proxied(path, strips));
    await expect.poll(() => visit.text('#step'), WAIT).toBe('100,000 / 100,000');
    await expect.poll(async () => visit.page.getAttribute('.plot >> nth=0', 'aria-label'), WAIT).toContain('100,000');
    await expectClean(visit);
  });

  it('can be used: zooms to a peak, in a few points', async () => {
    const visit = await openPage(url);
    const { page } = visit;
    const label = async () => (await page.getAttribute('.plot >> nth=0', 'aria-label')) ?? '';
    await expect.poll(label, WAIT).toContain('steps 1 to 100,000');
    expect(await visit.text('#step')).toBe('100,000 / 100,000');
    expect(await visit.text('#state')).toBe('stopped'); // there is no summary
    await page.selectOption('#shown', '1000');
    await expect.poll(label, WAIT).toContain('steps 99,001 to 100,000');
    await page.click('#earlier');
    await expect.poll(label, WAIT).toMatch(/steps 98,5\d\d to 99,5\d\d/);
    await page.selectOption('#shown', 'all');
    await expect.poll(label, WAIT).toContain('steps 1 to 100,000');
    await expectClean(visit);
  });
});

it('says in a line what is wrong', async () => {
  const missing = await ganglion(['view', scratch('nothing')]);
  expect(missing).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/^ganglion: .*expected the folder of a run.*\n$/),
  });
  const taken = await ganglion(['view', RUN, '--port', new URL(url).port]);
  const reason = /^ganglion: cannot listen on port \d+: it is in use; choose another with --port N\n$/;
  expect(taken).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(reason) });
});
