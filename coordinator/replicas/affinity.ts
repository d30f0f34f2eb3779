// Which replica should compute a generator pass: the one that computed the fake pass of the same shard, because it precomputes the
// generator's images while it would else wait for D's update (workers/replica/service.ts). Only a preference: any replica gives the same bits.
import type { Shard } from './replica.ts';

/** The shards whose fake pass a replica computed in its newest step, in order. */
export interface FakePasses {
  step: number;
  readonly shards: number[];
}

interface Computer {
  readonly fakePasses: FakePasses;
}

/** Notes a shard that a replica has computed, if it was a fake pass. */
export function noteFakePass(fakePasses: FakePasses, { step, pass, shard }: Shard): void {
  if (pass !== 'fake') return;
  if (fakePasses.step !== step) {
    fakePasses.step = step;
    fakePasses.shards.length = 0;
  }
  fakePasses.shards.push(shard);
}

/**
 * How well a shard suits a replica.
 *
 * @param all replicas, `own` among them
 * @returns 0 without preference; 1 or more for a shard whose fake pass it computed, most for the newest; -1 where another one did
 */
export function affinity({ step, pass, shard }: Shard, own: Computer, all: readonly Computer[]): number {
  if (pass !== 'generator') return 0;
  const computer = all.find(({ fakePasses }) => fakePasses.step === step && fakePasses.shards.includes(shard));
  if (computer === own) return 1 + own.fakePasses.shards.indexOf(shard);
  return computer ? -1 : 0;
}
