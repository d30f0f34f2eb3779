// @ts-check
// The buttons that change the run. A token, where one is needed, stays in this page's memory.

import { post } from './api.js';
import { byId } from './format.js';

/** @import { LiveRunInfo } from '../../shared/live-protocol.ts' */

export class Controls {
  #answer = byId('answer', HTMLElement);
  #workers = byId('workers', HTMLInputElement);
  #token = byId('token', HTMLInputElement);

  constructor() {
    const dialog = byId('stop-dialog', HTMLDialogElement);
    /** @param {string} id @param {() => void} action */
    const on = (id, action) => byId(id, HTMLButtonElement).addEventListener('click', action);
    on('checkpoint', () => this.#ask('api/checkpoint', {}, 'A checkpoint is written after this step.'));
    on('resize', () => this.#resize());
    on('stop', () => dialog.showModal());
    on('stop-no', () => dialog.close());
    on('stop-yes', () => {
      dialog.close();
      this.#ask('api/stop', {}, 'The run ends after this step.');
    });
    this.#workers.addEventListener('keydown', ({ key }) => {
      if (key === 'Enter') this.#resize();
    });
  }

  /** @param {LiveRunInfo} run */
  load({ actions, status }) {
    byId('token-group', HTMLElement).hidden = !actions?.tokenNeeded;
    this.#workers.max = String(actions?.mostWorkers ?? 1);
    // Of several nodes it is the first that is left which serves this page, and whose replicas are counted.
    const first = status.nodes.find(({ state }) => state !== 'lost')?.node;
    const own = status.replicas.filter(({ node, kind }) => node === first && kind !== 'page').length;
    if (document.activeElement !== this.#workers) this.#workers.value = String(Math.max(1, own));
  }

  #resize() {
    const count = this.#workers.valueAsNumber;
    this.#ask('api/workers', { count }, `There will be ${count} workers.`);
  }

  /** @param {string} path @param {object} body @param {string} done */
  async #ask(path, body, done) {
    this.#answer.className = '';
    this.#answer.textContent = 'Asking…';
    const { refused } = await post(path, body, this.#token.value);
    this.#answer.className = refused === '' ? '' : 'refused';
    this.#answer.textContent = refused === '' ? done : `Refused: ${refused}`;
  }
}
