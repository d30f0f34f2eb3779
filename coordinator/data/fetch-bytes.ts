// One HTTP GET into memory, with a limit on silence and on length. Every failure of the network comes out as one error with
// a short reason, so that the caller can try another mirror; a bug does not.
import { GanglionError, messageOf } from '../../shared/error.ts';

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
  const timer = setTimeout(() => controller.abort(failure(`no data for ${silenceTimeoutMs} ms`)), silenceTimeoutMs);
  try {
    const response = await fetch(url, { signal: controller.signal, headers: { 'accept-encoding': 'identity' } });
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
    if (error instanceof TypeError && error.cause !== undefined) throw failure(reasonOf(error.cause), error);
    throw error;
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

function failure(reason: string, cause?: unknown): GanglionError {
  return new GanglionError('environment', reason, { cause });
}

/** Some causes, such as the AggregateError of two refused addresses, have a code and no message. */
function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return messageOf(cause) || code || 'connection failed';
}
