// Which replica had better compute a generator pass: the one that computed the shard's fake pass, as it begins the generator's where it
// would else wait for D's update (workers/replica/service.ts), the newest first. A preference, no more: any replica gives the same bits.
import type { Shard } from './replica.ts';

/** The shards whose fake pass a replica computed in its newest step. */
export interface Drawn {
  step: number;
  readonly shards: number[];
}

interface Drawer {
  readonly drawn: Drawn;
}

export function noteDrawn(drawn: Drawn, { step, pass, shard }: Shard): void {
  if (pass !== 'fake') return;
  if (drawn.step !== step) {
    drawn.step = step;
    drawn.shards.length = 0;
  }
  drawn.shards.push(shard);
}

/**
 * How much a shard suits a replica.
 *
 * @param all replicas, this one among them, each with what it has drawn
 * @returns more for a shard that suits it better; below 0 when it suits another one
 */
export function suitability({ step, pass, shard }: Shard, own: Drawer, all: readonly Drawer[]): number {
  if (pass !== 'generator') return 0;
  const drawer = all.find(({ drawn }) => drawn.step === step && drawn.shards.includes(shard));
  if (drawer === own) return 1 + own.drawn.shards.indexOf(shard);
  return drawer ? -1 : 0;
}
