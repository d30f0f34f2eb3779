// Server-sent events to the open pages. A page has no queue: it receives what happened since the id that it has
// seen last. So one that reads slowly is told later and more at once, and costs nothing meanwhile.
// https://html.spec.whatwg.org/multipage/server-sent-events.html
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { LiveStatus } from '../../shared/live-protocol.ts';
import type { LiveRun } from './live-run.ts';

export interface EventStreamOptions {
  /** Between two messages to a page. */
  readonly tickMs?: number;
  /** Pages served at once; one address can have half of them. */
  readonly mostPages?: number;
  /** A page that reads nothing for this long is disconnected; its browser reconnects. */
  readonly stuckMs?: number;
  /** Monotonic clock in milliseconds. */
  readonly now?: () => number;
}

interface Page {
  readonly response: ServerResponse;
  readonly address: string;
  /** Id of the last message sent. */
  id: string | undefined;
  status: string;
  /** When it was last written to. */
  sentMs: number;
}

/** Interval of keep-alive messages, so that no proxy closes an idle connection. */
const QUIET_MS = 15_000;
/** A browser reconnects after this time. */
const RETRY_MS = 1000;
/** At the end, open pages have this long to request the last samples, and then to read what was sent. */
const GRACE_MS = 300;
const LAST_MS = 500;

export class EventStream {
  readonly #run: LiveRun;
  readonly #tickMs: number;
  readonly #mostPages: number;
  readonly #stuckMs: number;
  readonly #now: () => number;
  readonly #pages = new Set<Page>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(run: LiveRun, options: EventStreamOptions = {}) {
    const { tickMs = 500, mostPages = 32, stuckMs = 60_000, now = () => performance.now() } = options;
    this.#run = run;
    this.#tickMs = tickMs;
    this.#mostPages = mostPages;
    this.#stuckMs = stuckMs;
    this.#now = now;
  }

  /** Pages that are open. */
  get pages(): number {
    return this.#pages.size;
  }

  /** Whether there is room for another page from an address. */
  hasRoomFor(address: string): boolean {
    const own = [...this.#pages].filter((page) => page.address === address).length;
    return !this.#closed && this.#pages.size < this.#mostPages && own < this.#mostPages / 2;
  }

  /**
   * Writes events to a response until either side ends it.
   *
   * @param from where the page is, and the id of what it has seen before, if it has
   */
  add(response: ServerResponse, { address, id }: { address: string; id: string | undefined }): void {
    const page: Page = { response, address, id, status: '', sentMs: this.#now() };
    this.#pages.add(page);
    response.on('close', () => this.#remove(page));
    response.on('error', () => this.#remove(page));
    response.write(`retry: ${RETRY_MS}\n\n`);
    this.#tell(page, this.#run.status);
    this.#timer ??= setInterval(() => this.#tick(), this.#tickMs).unref();
  }

  /** Sends every page what is new, then closes the streams. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#tick();
    clearInterval(this.#timer);
    if (this.#pages.size > 0) await delay(GRACE_MS);
    const ended = [...this.#pages].map(({ response }) => new Promise<void>((resolve) => response.end(resolve)));
    const timer = new AbortController();
    const late = delay(LAST_MS, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([Promise.all(ended), late]);
    timer.abort();
    for (const { response } of this.#pages) response.destroy();
  }

  #remove(page: Page): void {
    this.#pages.delete(page);
    if (this.#pages.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    if (this.#pages.size === 0) return;
    const { status } = this.#run;
    for (const page of [...this.#pages]) this.#tell(page, status);
  }

  #tell(page: Page, status: LiveStatus): void {
    const { response } = page;
    const quietMs = this.#now() - page.sentMs;
    if (response.writableNeedDrain) {
      if (quietMs > this.#stuckMs) response.destroy();
      return;
    }
    const known = JSON.stringify(status);
    const message = this.#run.since(page.id, known === page.status ? undefined : status);
    if (message) {
      response.write(`id: ${message.id}\nevent: ${message.event}\ndata: ${message.data}\n\n`);
      page.id = message.id;
      if (message.event === 'update') page.status = known;
    } else if (quietMs > QUIET_MS) response.write('event: alive\ndata:\n\n');
    else return;
    page.sentMs = this.#now();
  }
}
