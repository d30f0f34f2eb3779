// One HTTP GET into memory, with a limit on silence and on length. Every failure of the network comes out as one error with
// a short reason, so that the caller can try another mirror; a bug does not.
import type { Dispatcher } from 'undici';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { describeNoWasmMemory } from '../../shared/wasm-memory.ts';
import { proxyDispatcher, proxyOf } from './proxy.ts';

export interface FetchOptions {
  /** Longest wait for the next bytes (and for the answer's head). */
  readonly silenceTimeoutMs: number;
  /** Longest answer. */
  readonly maxBytes: number;
  /** Called after every piece; `totalBytes` is undefined where the server does not state it. */
  readonly onReceived: (receivedBytes: number, totalBytes: number | undefined) => void;
}

/**
 * The body of the answer to GET `url`.
 * @throws GanglionError `environment` whose message is only the reason: a status other than 2xx, a refused or cut connection,
 * silence, an answer that is too long.
 */
export async function fetchBytes(url: string, options: FetchOptions): Promise<Uint8Array> {
  const { silenceTimeoutMs, maxBytes, onReceived } = options;
  const controller = new AbortController();
  const noMemory = describeNoWasmMemory();
  if (noMemory !== undefined) throw failure(noMemory); // fetch parses by WebAssembly, and its crash cannot be caught
  const proxy = proxyOf(url);
  const dispatcher = proxy && (await proxyDispatcher(proxy));
  const timer = setTimeout(() => controller.abort(failure(`no data for ${silenceTimeoutMs} ms`)), silenceTimeoutMs);
  try {
    const response = await get(url, dispatcher, controller.signal);
    if (!response.ok) throw failure(`HTTP ${response.status}`);
    const stated = response.headers.get('content-length');
    const totalBytes = stated === null || response.headers.has('content-encoding') ? undefined : Number(stated);
    const pieces: Uint8Array[] = [];
    let receivedBytes = 0;
    for await (const piece of response.body ?? []) {
      timer.refresh();
      pieces.push(piece);
      receivedBytes += piece.length;
      if (receivedBytes > maxBytes) throw failure(`an answer of more than ${maxBytes} bytes`);
      onReceived(receivedBytes, totalBytes);
    }
    return Buffer.concat(pieces);
  } catch (error) {
    // fetch reports every failure of the network as a TypeError with a cause.
    if (error instanceof TypeError && error.cause !== undefined) {
      const by = proxy === undefined ? '' : `; the proxy is that of ${proxy.variable}`;
      throw failure(`${reasonOf(error.cause)}${by}`, error);
    }
    throw error;
  } finally {
    clearTimeout(timer);
    controller.abort();
    await dispatcher?.destroy();
  }
}

/** By Node's own fetch, which knows no proxy in Node 20; where there is one, by undici's. */
async function get(url: string, dispatcher: Dispatcher | undefined, signal: AbortSignal) {
  const options = { signal, headers: { 'accept-encoding': 'identity' } };
  if (dispatcher === undefined) return await fetch(url, options);
  const undici = await import('undici');
  return await undici.fetch(url, { ...options, dispatcher });
}

function failure(reason: string, cause?: unknown): GanglionError {
  return new GanglionError('environment', reason, { cause });
}

/** Some causes, such as the AggregateError of two refused addresses, have a code and no message. */
function reasonOf(cause: unknown): string {
  if (cause instanceof Error && cause.cause instanceof Error) return reasonOf(cause.cause); // that it was cancelled is no reason
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return messageOf(cause) || code || 'connection failed';
}
