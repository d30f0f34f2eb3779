// From the results of a phase's shards to new parameters: the exact sum over shards and nodes, then Adam on the mean. Only this file
// and device-update.ts, where they lie on a device, read the values of a result.
import { addRounded } from '../../shared/exact-sum.ts';
import type { Phase } from '../../shared/model/layout.ts';
import type { UpdateKernels } from '../../shared/update.ts';
import { type TakenResult, toHost } from '../replicas/replica.ts';
import { type AdamOptions, adamStep, applyAdam } from './adam.ts';
import { moveTowards } from './average.ts';
import type { Exchange, NodeSum, Reduced, ShardCount } from './exchange.ts';
import { holdResults } from './held-results.ts';
import type { OnSpan } from './span.ts';
import { type NetState, trackStatistics } from './state.ts';

/** Runs everywhere, and is what the compiled kernels are held to. */
export const javascriptKernels: UpdateKernels = { addRounded, applyAdam, moveAverage: moveTowards };

/** Where the statistics of a forward pass lie in the sum, and the net whose running ones they move. */
export interface MovedStatistics {
  readonly net: NetState;
  readonly offset: number;
  readonly size: number;
}

/** The update of one phase, used again every step: `add` every result, `allReduce`, then `apply` or not, then `reset`. */
export interface Update {
  /** Takes a result over, and releases it. */
  add(result: TakenResult): void;
  /**
   * Adds up over all nodes what has been added.
   *
   * @param count of this node; asked again when it has computed more, for a node that was lost
   * @returns of all nodes; without a time where this one is alone
   */
  allReduce(count: () => ShardCount): Promise<ShardCount & Partial<Reduced>>;
  /**
   * Adam on the net whose gradient the vectors begin with. The part of {@link sum} that has moved a parameter is not to be read after
   * that.
   *
   * @param scale factor that makes the sum a mean
   * @param statistics parts of the sum that move running statistics, in order
   * @returns L2 norm of the mean gradient; from a device later, when all is there, and undefined where it has changed nothing, as a result that was
   *   on its way is bad
   */
  apply(
    adam: AdamOptions,
    net: NetState,
    scale: number,
    statistics?: readonly MovedStatistics[],
  ): number | Promise<number | undefined>;
  /** Sum of the vectors. Losses and outputs, behind the gradient, are there once the norm is. */
  readonly sum: Float64Array;
  /** Milliseconds of exact sums, without what was added inside of `apply`; counted from 0 again. */
  takeSumMs(): number;
  /** Forgets all results: the next is the first of another update. */
  reset(): void;
}

export interface UpdateOptions {
  /** Default: JavaScript. */
  readonly kernels?: UpdateKernels | undefined;
  readonly span?: OnSpan | undefined;
  /** Default: this node is alone. */
  readonly nodes?: UpdateOverNodes | undefined;
}

/** What makes an update one of several nodes. */
export interface UpdateOverNodes {
  readonly exchange: Exchange;
  readonly phase: Phase;
  /** Results that the sum must have. */
  readonly expected: number;
}

/** @param length of the vectors that are added */
export function createUpdate(length: number, { kernels = javascriptKernels, span, nodes }: UpdateOptions = {}): Update {
  /** Alone, what was added becomes the sum. */
  const { own, total } = nodes?.exchange.allocate(length) ?? alone(length);
  const ownSum = own.subarray(0, length);
  const sum = total.subarray(0, length);
  const held = holdResults((results, isFirst) => {
    const values = results.map((result) => toHost(result.values));
    if (values.length > 0) kernels.addRounded(ownSum, values, isFirst);
    else if (isFirst) ownSum.fill(0);
  }, span);

  return {
    ...{ sum, add: held.add, takeSumMs: held.takeSumMs, reset: held.reset },
    async allReduce(count) {
      if (!nodes) return count(); // Adam adds
      const { exchange, phase, expected } = nodes;
      return await exchange.allReduce(phase, { own, total }, expected, () => {
        held.addUp();
        return count();
      });
    },
    apply(adam, net, scale, statistics = []) {
      const values = held.results.map((result) => toHost(result.values));
      const options = { apply: kernels.applyAdam, values, isFirst: held.isFirst };
      const norm = adamStep(adam, net.adam, net.parameters, sum, scale, options);
      held.release();
      for (const { net: moved, offset, size } of statistics) {
        trackStatistics(moved, sum.subarray(offset, offset + size), scale);
      }
      return norm;
    },
  };
}

function alone(length: number): NodeSum {
  const own = new Float64Array(length);
  return { own, total: own };
}

/**
 * The fastest kernels that this machine has.
 *
 * @param entry compiled entry file of the kernels' side; its `loadUpdate` gives undefined where there are none
 * @param onFailure receives the error of kernels that are there and do not load; JavaScript takes their place, with the same bits
 */
export async function loadKernels(entry: URL, onFailure: (error: unknown) => void): Promise<UpdateKernels> {
  try {
    const { loadUpdate }: { loadUpdate: () => UpdateKernels | undefined } = await import(entry.href);
    return loadUpdate() ?? javascriptKernels;
  } catch (error) {
    onFailure(error);
    return javascriptKernels;
  }
}
