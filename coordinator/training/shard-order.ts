// What shards are told where the state lies on a device: which update they wait for there, and whether training goes on meanwhile.
import type { AfterUpdate, UpdateDevice } from '../../shared/device-memory.ts';
import type { Net } from '../../shared/model/layout.ts';
import type { Shard } from '../replicas/replica.ts';

export class ShardOrder {
  readonly #device: Pick<UpdateDevice, 'mark'>;
  /** What replicas wait for before they read parameters. */
  #after: AfterUpdate = { mark: 0, versions: { generator: 0, discriminator: 0 } };
  /** The step that is computed again: its shards are waited for. */
  doubtful = -1;

  constructor(device: Pick<UpdateDevice, 'mark'>) {
    this.#device = device;
  }

  /** What has been asked for changes these nets. */
  note(...nets: readonly Net[]): void {
    const versions = { ...this.#after.versions };
    for (const net of nets) versions[net] += 1;
    this.#after = { mark: this.#device.mark(), versions };
  }

  /** A shard, with what it waits for. @param goesAhead whether training goes on while it is on its way, unless its step is {@link doubtful} */
  of({ step, pass, shard, images }: Shard, goesAhead: boolean): Shard {
    // Field by field: V8 is slow with an object that begins with `...`.
    const after = this.#after;
    const ahead = goesAhead && step !== this.doubtful;
    return images ? { step, pass, shard, images, after, ahead } : { step, pass, shard, after, ahead };
  }
}
