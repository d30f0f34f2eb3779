// What download.test.ts does not reach of coordinator/data/fetch-bytes.ts.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { fetchBytes } from '../../../../coordinator/data/fetch-bytes.ts';
import { errorOf } from '../../scratch.ts';
import { startMirror } from './mirror.ts';

const options = { silenceTimeoutMs: 5000, maxBytes: 100, onReceived: () => undefined };

afterEach(() => {
  vi.unstubAllGlobals();
});

/** The reason where fetch fails with this cause. */
function reasonOf(cause: unknown): Promise<string> {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('fetch failed', { cause })));
  return errorOf(() => fetchBytes('http://x', options));
}

describe('fetchBytes', () => {
  it('gives the body and counts it', async () => {
    const mirror = await startMirror((name, response) => response.writeHead(200, { 'content-length': 3 }).end(name));
    const received: unknown[] = [];
    const onReceived = (...numbers: unknown[]) => received.push(numbers);
    const bytes = await fetchBytes(`${mirror.url}/abc`, { ...options, onReceived });
    expect([...bytes]).toEqual([97, 98, 99]);
    expect(received).toEqual([[3, 3]]);
  });

  it('asks for the file as it lies there, not packed for the way', async () => {
    const mirror = await startMirror((_, response, request) => response.end(request.headers['accept-encoding']));
    expect(Buffer.from(await fetchBytes(`${mirror.url}/a`, options)).toString()).toBe('identity');
  });

  it('takes as many bytes as allowed and no more', async () => {
    const mirror = await startMirror((name, response) => response.end(new Uint8Array(Number(name))));
    expect((await fetchBytes(`${mirror.url}/100`, options)).length).toBe(100);
    expect(await errorOf(() => fetchBytes(`${mirror.url}/101`, options))).toBe(
      'environment: an answer of more than 100 bytes',
    );
  });

  it('gives a reason for every failure, also where Node gives only a code or nothing', async () => {
    const refused = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' });
    expect(await reasonOf(refused)).toBe('environment: ECONNREFUSED');
    expect(await reasonOf(new Error('getaddrinfo ENOTFOUND x'))).toBe('environment: getaddrinfo ENOTFOUND x');
    expect(await reasonOf(new Error(''))).toBe('environment: connection failed');
  });

  it('lets a bug through', async () => {
    const bug = new TypeError('x is not a function');
    vi.stubGlobal('fetch', () => Promise.reject(bug));
    await expect(fetchBytes('http://x', options)).rejects.toBe(bug);
  });

  it('hangs up on an answer that it does not want', async () => {
    let closed: () => void = () => undefined;
    const hungUp = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const mirror = await startMirror((_, response) => {
      response.once('close', closed);
      response.writeHead(503).write('without end');
    });
    expect(await errorOf(() => fetchBytes(`${mirror.url}/a`, options))).toBe('environment: HTTP 503');
    await hungUp;
  }, 2000);
});
