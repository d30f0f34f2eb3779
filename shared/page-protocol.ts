// How a page that lends its processor, and the coordinator, come together and part; in between they send the frames of
// process-protocol.ts, one a message of a WebSocket.

/** Where a page asks for a ticket (POST), and where it connects with it; beside the live page. */
export const LEND_PATH = 'api/lend';
/** The subprotocol of the WebSocket; the second one that a page offers is its ticket, so that no address and no log has that. */
export const LEND_PROTOCOL = 'ganglion-replica-1';
/** Code of a connection that the coordinator closes; its reason is one line. */
export const CLOSED_BY_RUN = 4000;

/** What a page's worker tells the page. */
export type LendNews =
  /** It has the kernels, and waits for a ticket. */
  | { readonly kind: 'loaded' }
  /** It computes: so many shards so far, with so many images. */
  | { readonly kind: 'lending'; readonly shards: number; readonly images: number }
  /** It has ended, or could not begin. */
  | { readonly kind: 'ended'; readonly reason: string };

/** Bytes of a reason (RFC 6455, 5.5). */
const MOST_REASON_BYTES = 123;

/** A reason that fits: cut where it is too long. */
export function toCloseReason(text: string): string {
  let fitting = text;
  while (new TextEncoder().encode(fitting).length > MOST_REASON_BYTES)
    fitting = `${fitting.replace(/…$/, '').slice(0, -1)}…`;
  return fitting;
}

/** Number of the first replica that a page lends: beyond those of every run. */
export const FIRST_PAGE = 1000;
