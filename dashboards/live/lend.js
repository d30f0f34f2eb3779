// @ts-check
// Lends the processor of this machine to the run: workers of this page compute shards, until somebody stops them or the page closes.
import { post } from './api.js';
import { byId, short, whole } from './format.js';

/** @import { LiveRunInfo } from '../../shared/live-protocol.ts' */
/** @import { LendNews } from '../../shared/page-protocol.ts' */

/** Speed is that of so many milliseconds. */
const WINDOW_MS = 10_000;
/** A step computes three passes over its images. */
const PASSES = 3;

export class Lending {
  #button = byId('lend', HTMLButtonElement);
  #stop = byId('lend-stop', HTMLButtonElement);
  #count = byId('lend-workers', HTMLInputElement);
  #said = byId('lent', HTMLElement);
  #hint = byId('lend-hint', HTMLElement);
  #explained = '';
  /** What every worker has computed; of one that has not begun, nothing. @type {Map<Worker, { shards: number, images: number } | undefined>} */
  #workers = new Map();
  /** Shards of workers that have ended. */
  #before = { shards: 0, images: 0 };
  /** Images, by time. @type {[ms: number, images: number][]} */
  #times = [];

  constructor() {
    this.#button.addEventListener('click', () => this.#lend());
    this.#stop.addEventListener('click', () => {
      for (const worker of this.#workers.keys()) worker.terminate();
      this.#workers.clear();
      this.#say('This processor is lent no more.');
    });
  }

  /** @param {LiveRunInfo} run */
  load({ actions, config }) {
    const most = Math.min(actions?.mostPages ?? 0, navigator.hardwareConcurrency);
    byId('lend-group', HTMLElement).hidden = most === 0;
    this.#count.max = String(most);
    const share = Number(config.pageAudit);
    const check = share === 1 ? 'all of them, and what a page gives does not count' : `${short(share * 100)} % of them`;
    this.#explained = `This browser then computes shards: it gets training images and the weights. The run itself computes ${check} (--page-audit).`;
    if (this.#workers.size === 0) this.#hint.textContent = this.#explained;
  }

  #lend() {
    const [count, most] = [this.#count.valueAsNumber, Number(this.#count.max)];
    if (!(Number.isInteger(count) && count >= 1 && count <= most)) {
      this.#say(`Refused: expected 1 to ${most} workers.`, true);
      return;
    }
    this.#before = { shards: 0, images: 0 };
    this.#times = [];
    for (let i = 0; i < count; i++) {
      const worker = new Worker('live/lend-worker.js');
      this.#workers.set(worker, undefined);
      worker.addEventListener('message', ({ data }) => this.#hear(worker, data));
      worker.addEventListener('error', () => this.#end(worker, 'the worker does not start'));
    }
    this.#say('Asking…');
  }

  /** @param {Worker} worker @param {LendNews} news */
  #hear(worker, news) {
    if (!this.#workers.has(worker)) return; // it was stopped
    switch (news.kind) {
      case 'loaded':
        void this.#connect(worker);
        break;
      case 'lending':
        this.#workers.set(worker, news);
        this.#tally();
        break;
      case 'ended':
        this.#end(worker, news.reason);
        break;
    }
  }

  /** @param {Worker} worker */
  async #connect(worker) {
    const { refused, answer } = await post('api/lend', {}, byId('token', HTMLInputElement).value);
    if (!this.#workers.has(worker)) return; // it was stopped: the ticket expires
    if (refused === '') worker.postMessage(answer.ticket);
    else this.#end(worker, refused);
  }

  /** @param {Worker} worker @param {string} reason */
  #end(worker, reason) {
    worker.terminate();
    const { shards = 0, images = 0 } = this.#workers.get(worker) ?? {};
    this.#before = { shards: this.#before.shards + shards, images: this.#before.images + images };
    this.#workers.delete(worker);
    this.#say(`${this.#workers.size === 0 ? 'Ended' : 'A worker has ended'}: ${reason}`, true);
  }

  /** Writes what has been computed, and how fast. */
  #tally() {
    const own = [...this.#workers.values()].filter((counts) => counts !== undefined);
    const shards = own.reduce((sum, counts) => sum + counts.shards, this.#before.shards);
    const images = own.reduce((sum, counts) => sum + counts.images, this.#before.images);
    const now = performance.now();
    this.#times = [...this.#times.filter(([ms]) => now - ms < WINDOW_MS), [now, images]];
    const [first] = this.#times;
    const seconds = first ? (now - first[0]) / 1000 : 0;
    const speed = first && seconds > 0 ? `, ${whole((images - first[1]) / PASSES / seconds)} images/s` : '';
    this.#say(`Lending ${own.length} ${own.length === 1 ? 'worker' : 'workers'}.`);
    this.#hint.textContent = `${whole(shards)} shards computed${speed}`;
  }

  /** @param {string} text @param {boolean} [isRefused] */
  #say(text, isRefused = false) {
    const isLending = this.#workers.size > 0;
    this.#button.disabled = isLending;
    this.#count.disabled = isLending;
    this.#stop.disabled = !isLending;
    this.#said.className = isRefused ? 'refused' : '';
    if (this.#said.textContent !== text) this.#said.textContent = text;
    if (!isLending) this.#hint.textContent = this.#explained;
  }
}
