// @ts-check
// The coordinator's API: the events of /api/events, and requests. A lost connection is opened again; the id of the last event says what
// is missing. After a restart of the coordinator the page asks for everything again.

/** @import { LiveEvaluation, LiveHistory, LiveRunInfo, LiveUpdate } from '../../shared/live-protocol.ts' */

const RETRY_MS = 1000;
/** The coordinator says something this often at least; a connection that is silent for longer is dead. */
const SILENT_MS = 40_000;

/**
 * @template T
 * @param {string} path
 * @returns {Promise<T>}
 */
async function get(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

/** @returns {Promise<LiveRunInfo>} */
export function getRun() {
  return get('api/run');
}

/**
 * @param {{ from?: number, to?: number, points: number }} range
 * @returns {Promise<LiveHistory>}
 */
export function getHistory({ from = 0, to = Number.MAX_SAFE_INTEGER, points }) {
  return get(`api/history?from=${Math.max(0, Math.floor(from))}&to=${Math.max(0, Math.ceil(to))}&points=${points}`);
}

/** @returns {Promise<LiveEvaluation[]>} */
export function getEvaluations() {
  return get('api/evaluations');
}

/** @returns {Promise<{ session: string, steps: number[], real: boolean, animation: boolean }>} */
export function getSamples() {
  return get('api/samples');
}

/**
 * Asks for a change of the run.
 *
 * @param {string} path
 * @param {object} body
 * @param {string} token empty for none
 * @returns {Promise<{ refused: string, answer: Readonly<Record<string, unknown>> }>} why it was refused, empty when it was not; and the answer
 */
export async function post(path, body, token) {
  /** @type {Record<string, string>} */
  const headers = { 'content-type': 'application/json' };
  if (token !== '') headers.authorization = `Bearer ${token}`;
  try {
    const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
    const answer = await response.json();
    return { refused: response.ok ? '' : String(answer.error), answer };
  } catch {
    return { refused: 'the coordinator does not answer', answer: {} };
  }
}

/**
 * Listens until the page is closed.
 *
 * @param {{
 *   reload: () => Promise<void>,
 *   update: (update: LiveUpdate) => void,
 *   connected: (connected: boolean) => void,
 * }} listener `reload` must have asked for everything when it resolves
 */
export function listen({ reload, update, connected }) {
  let last = '';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let silence;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retry;

  function open() {
    const source = new EventSource(last === '' ? 'api/events' : `api/events?last=${encodeURIComponent(last)}`);
    /** What has come while everything is asked for. @type {Promise<void>} */
    let before = Promise.resolve();
    const lost = () => {
      if (source.readyState !== EventSource.CLOSED) source.close();
      connected(false);
      clearTimeout(silence);
      clearTimeout(retry);
      retry = setTimeout(open, RETRY_MS);
    };
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(lost, SILENT_MS);
    };
    source.addEventListener('open', () => {
      heard();
      connected(true);
    });
    source.addEventListener('error', lost);
    source.addEventListener('reload', ({ lastEventId }) => {
      heard();
      before = before.then(reload).then(
        () => {
          last = lastEventId;
        },
        lost, // it went away meanwhile
      );
    });
    source.addEventListener('update', ({ data, lastEventId }) => {
      heard();
      before = before.then(() => {
        if (source.readyState === EventSource.CLOSED) return;
        update(JSON.parse(data));
        last = lastEventId;
      });
    });
    source.addEventListener('alive', heard);
  }
  open();
}
