// The update of a phase on a device: as `createUpdate` of update.ts, with its bits, where results and state lie there.
import { type DevicePlace, isOnHost } from '../../shared/device-memory.ts';
import type { TakenResult } from '../replicas/replica.ts';
import { nextFactors } from './adam.ts';
import type { DeviceState } from './device-state.ts';
import { holdResults } from './held-results.ts';
import type { OnSpan } from './span.ts';
import { STATISTICS_MOMENTUM } from './state.ts';
import type { Update } from './update.ts';

/** Numbers of the sum that the host reads: losses and outputs, which follow the gradient. */
const SCALARS = 4;

/** What a device adds. */
export interface DeviceVectors {
  readonly length: number;
  /** Parameters, which they begin with. */
  readonly size: number;
  /** Magnitude that no value may reach. */
  readonly limit: number;
}

export function createDeviceUpdate({ length, size, limit }: DeviceVectors, state: DeviceState, span?: OnSpan): Update {
  const update = state.use((device) => device.createUpdate(length, limit));
  const sum = new Float64Array(length);
  /** Where results that were copied to the host go, as those of audited shards. */
  const spare: DevicePlace[] = [];
  const places = (results: readonly TakenResult[]): DevicePlace[] => {
    const marks = new Set(results.flatMap(({ mark }) => mark ?? []));
    state.use((device) => {
      for (const mark of marks) device.waitFor(mark);
    });
    return results.map(({ values }, i) => {
      if (!isOnHost(values)) return values;
      return state.use((device) => {
        spare[i] ??= device.allocate(length);
        device.write(spare[i], values);
        return spare[i];
      });
    });
  };
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
      const report = state.change(() => {
        const own = state.of(net);
        update.applyAdam(factors, own, values, held.isFirst);
        for (const { net: tracked, offset } of statistics) {
          update.track({ running: state.of(tracked).statistics, offset }, STATISTICS_MOMENTUM, scale);
        }
        state.noteUpdate(net);
        return update.report(size, Math.min(SCALARS, length - size));
      });
      Object.assign(net.adam, powers);
      for (const { net: tracked } of statistics) tracked.batchesTracked += 1;
      held.release(); // what is written there next waits for this update
      return state.arrived(report).then(({ norm, numbers, halted }) => {
        if (halted) return undefined;
        sum.set(numbers, size);
        return norm;
      });
    },
  };
}
