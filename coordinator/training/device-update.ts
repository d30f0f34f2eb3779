// The update of a phase on a device: as `createUpdate` of update.ts, with its bits, where results and state lie there.
import { type DevicePlace, isOnHost } from '../../shared/device-memory.ts';
import type { ShardResult } from '../replicas/replica.ts';
import { nextFactors } from './adam.ts';
import type { DeviceState } from './device-state.ts';
import { holdResults } from './held-results.ts';
import type { OnSpan } from './span.ts';
import { STATISTICS_MOMENTUM } from './state.ts';
import type { Update } from './update.ts';

/** Numbers of the sum that the host reads: losses and outputs, which follow the gradient. */
const SCALARS = 4;

/** @param length of the vectors that are added */
export function createDeviceUpdate(length: number, state: DeviceState, span?: OnSpan): Update {
  const update = state.use((device) => device.createUpdate(length));
  const sum = new Float64Array(length);
  /** Where results that were copied to the host go, as those of audited shards. */
  const spare: DevicePlace[] = [];
  const places = (results: readonly ShardResult[]): DevicePlace[] =>
    results.map(({ values }, i) => {
      if (!isOnHost(values)) return values;
      return state.use((device) => {
        spare[i] ??= device.allocate(length);
        device.write(spare[i], values);
        return spare[i];
      });
    });
  const held = holdResults((results, isFirst) => {
    const values = places(results);
    state.use((device) => {
      update.addRounded(values, isFirst);
      device.read([]); // the vectors have been read before they are released
    });
  }, span);

  return {
    ...{ sum, add: held.add, takeSumMs: held.takeSumMs, reset: held.reset },
    allReduce: async (count) => count(), // several nodes add up on the host
    apply(adam, net, scale, statistics = []) {
      const { factors, powers } = nextFactors(adam, net.adam, scale);
      const values = places(held.results);
      const { norm, numbers } = state.change(() => {
        const own = state.of(net);
        update.applyAdam(factors, own, values, held.isFirst);
        for (const { net: tracked, offset } of statistics) {
          update.track({ running: state.of(tracked).statistics, offset }, STATISTICS_MOMENTUM, scale);
        }
        return update.report(own.parameters.length, Math.min(SCALARS, length - own.parameters.length));
      });
      Object.assign(net.adam, powers);
      for (const { net: tracked } of statistics) tracked.batchesTracked += 1;
      sum.set(numbers, net.parameters.length);
      held.release();
      return norm;
    },
  };
}
