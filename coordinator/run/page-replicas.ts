// Pages that lend a node their processors: how many there may be, and how they come and go.
import type { WebSocket } from 'ws';
import { ONE_ARITHMETIC } from '../../shared/backend.ts';
import type { Devices } from '../../shared/device.ts';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { FIRST_PAGE } from '../../shared/page-protocol.ts';
import type { Lending } from '../http/lend-routes.ts';
import type { ReplicaGroup } from '../replicas/replica-group.ts';
import { mostBytesFrom, type PageReplica, startPageReplica } from '../replicas/transports/page-replica.ts';
import type { NodeOptions, NodeSettings } from './node-options.ts';
import { DEADLINE_MS, setupOf } from './node-replicas.ts';

/** @throws GanglionError `usage` where the settings ask for pages, and what computes has other bits than theirs */
export function checkPages({ pageReplicas }: Pick<NodeSettings, 'pageReplicas'>, devices: Devices): void {
  const other = devices.find(({ backend }) => !ONE_ARITHMETIC.includes(backend));
  if (pageReplicas === 0 || !other) return;
  const expected = `expected one of ${ONE_ARITHMETIC.join(', ')}, whose bits pages have`;
  throw new GanglionError('usage', `--page-replicas ${pageReplicas}: ${expected}, got ${other.backend} (--backend)`);
}

export class PageReplicas {
  readonly #options: NodeOptions;
  readonly #group: () => ReplicaGroup;
  /** Numbers of those that are here, or start. */
  readonly #ids = new Set<number>();
  readonly #starting = new Set<WebSocket>();
  #isOpen = false;

  constructor(options: NodeOptions, group: () => ReplicaGroup) {
    this.#options = options;
    this.#group = group;
  }

  /** What the server does with pages; undefined where the settings allow none. */
  lending(folders: Lending['folders']): Lending | undefined {
    const { config, state } = this.#options;
    if (config.pageReplicas === 0) return undefined;
    return {
      admit: (expected) => this.#admit(expected),
      take: (socket) => void this.#take(socket),
      mostBytes: mostBytesFrom(state.spec),
      folders,
    };
  }

  /** From now on pages may come. */
  open(): void {
    this.#isOpen = true;
  }

  /** Pages may come no more, and one that starts ends. */
  close(): void {
    this.#isOpen = false;
    for (const socket of this.#starting) socket.terminate();
  }

  /** Refuses a further page where there are as many as may be. @param expected pages that are about to come @throws GanglionError */
  #admit(expected: number): void {
    const { pageReplicas: most } = this.#options.config;
    if (!this.#isOpen) throw new GanglionError('usage', 'expected a run that trains');
    const count = this.#ids.size + expected;
    if (count < most) return;
    throw new GanglionError(
      'usage',
      `expected at most ${most} workers in pages (--page-replicas), and there are ${count}, those that had leave to come among them`,
    );
  }

  /** Takes in a page that has connected, until it leaves; never rejects. */
  async #take(socket: WebSocket): Promise<void> {
    if (!this.#isOpen) {
      socket.terminate(); // it had a ticket of a run that trained
      return;
    }
    const { dataset, emit } = this.#options;
    const id = this.#freeId();
    this.#ids.add(id);
    this.#starting.add(socket);
    try {
      const setup = { ...setupOf(this.#options), backend: 'wasm' as const };
      const replica = await startPageReplica(id, socket, { setup, images: dataset.images, deadlineMs: DEADLINE_MS });
      this.#starting.delete(socket);
      const group = this.#group();
      const isIn = this.#join(group, replica);
      if (isIn) emit({ kind: 'page', text: `page ${id} lends its processor: ${replica.ready.engine}` });
      const why = await replica.lost;
      if (isIn) group.leave(replica, why);
    } catch (error) {
      this.#refused(id, error);
    } finally {
      this.#starting.delete(socket);
      this.#ids.delete(id);
    }
  }

  /** @returns whether the group has taken it */
  #join(group: ReplicaGroup, replica: PageReplica): boolean {
    try {
      group.join(replica);
      return true;
    } catch (error) {
      this.#refused(replica.id, error);
      void replica.stop(error instanceof GanglionError ? error : undefined);
      return false;
    }
  }

  #refused(id: number, error: unknown): void {
    if (this.#isOpen)
      this.#options.emit({ kind: 'page', text: `page ${id} cannot lend its processor: ${messageOf(error)}` });
  }

  #freeId(): number {
    let id = FIRST_PAGE;
    while (this.#ids.has(id)) id += 1;
    return id;
  }
}
