// Nodes of one group in this process, and the deaths that a test plans for them.
import type { Communicator, Recovery } from '../../../../coordinator/training/communicator.ts';

/** Thrown at a node that has died. */
export class Died extends Error {}

/** The death of a node, in one of its operations. */
export interface Death {
  readonly node: number;
  /** Number of the operation, from 0, over reductions, broadcasts, recoveries and agreements of this node. */
  readonly at: number;
  /** Nodes at which the operation is done nevertheless, unless it is an agreement. Default: none, as the node dies before it. */
  readonly doneAt?: readonly number[];
}

interface Arrival {
  readonly node: number;
  readonly share: (arrivals: readonly Arrival[]) => void;
  readonly settle: (isDone: boolean) => void;
  readonly value: Float64Array | Uint8Array | number;
}

/** @returns one communicator a node */
export function localNodes(size: number, deaths: readonly Death[] = []): Communicator[] {
  const alive = new Set(Array.from({ length: size }, (_, node) => node));
  const counts = Array.from({ length: size }, () => 0);
  /** Members of the group as each node knows it. */
  const members = Array.from({ length: size }, () => [...alive]);
  /** Nodes that have noticed that the group of this size is broken. */
  const broken = new Set<number>();
  const waiting: Arrival[] = [];
  let recovering: Arrival[] = [];

  const breakUp = (group: number): void => {
    broken.add(group);
    for (const { settle } of waiting.splice(0)) settle(false);
  };

  /** Dies when that is planned. @returns whether the operation is the last one, and where it is done nevertheless */
  const countAndDie = (node: number): Death | undefined => {
    const at = counts[node] as number;
    counts[node] = at + 1;
    return deaths.find((death) => death.node === node && death.at === at);
  };

  const collective = (node: number, value: Arrival['value'], share: Arrival['share']): Promise<boolean> => {
    const death = countAndDie(node);
    const group = (members[node] as number[]).length;
    if (death && !death.doneAt) {
      alive.delete(node);
      breakUp(group);
      tryRecover();
      throw new Died(`node ${node}`);
    }
    if (broken.has(group)) {
      if (death) alive.delete(node);
      return Promise.resolve(false);
    }
    return new Promise((resolve, reject) => {
      const settle = (isDone: boolean): void => {
        if (death) reject(new Died(`node ${node}`));
        else resolve(isDone);
      };
      waiting.push({ node, share, settle, value });
      if (waiting.length < group) return;
      const arrivals = waiting.splice(0);
      const dying = arrivals.flatMap((arrival) =>
        deaths.filter((one) => one.node === arrival.node && one.at === (counts[arrival.node] as number) - 1),
      );
      const isAgreement = typeof value === 'number';
      const isDoneAt = (at: number): boolean => dying.every(({ doneAt = [] }) => !isAgreement && doneAt.includes(at));
      for (const { node: gone } of dying) alive.delete(gone);
      if (dying.length > 0) broken.add(group);
      for (const arrival of arrivals) if (isDoneAt(arrival.node)) arrival.share(arrivals);
      for (const arrival of arrivals) arrival.settle(isDoneAt(arrival.node));
    });
  };

  const tryRecover = (): void => {
    if (recovering.length === 0 || recovering.length < alive.size) return;
    const arrivals = recovering.sort((a, b) => a.node - b.node);
    recovering = [];
    for (const { node } of arrivals) members[node] = arrivals.map((arrival) => arrival.node);
    for (const { share, settle } of arrivals) {
      share(arrivals);
      settle(true);
    }
  };

  return Array.from({ length: size }, (_, node) => ({
    node,
    get members() {
      return members[node] as number[];
    },
    allocate: (length) => new Float64Array(length),
    allReduceSum: (from, into) =>
      collective(node, from, (arrivals) => {
        into.fill(0);
        for (const { value } of arrivals) {
          if (value instanceof Float64Array)
            for (const [i, one] of value.entries()) into[i] = (into[i] as number) + one;
        }
      }),
    broadcast: (bytes, from) =>
      collective(node, bytes, (arrivals) => {
        const sent = arrivals.find((arrival) => arrival.node === from)?.value;
        if (sent instanceof Uint8Array) bytes.set(sent);
      }),
    agree: () => collective(node, 0, () => {}),
    async recover(progress) {
      if (countAndDie(node)) {
        alive.delete(node);
        tryRecover();
        throw new Died(`node ${node}`);
      }
      const before = (members[node] as number[]).length;
      breakUp(before);
      let gathered: Recovery = { progress: [] };
      await new Promise<void>((resolve) => {
        const share = (arrivals: readonly Arrival[]): void => {
          gathered = { progress: arrivals.map(({ value }) => Number(value)) };
        };
        recovering.push({ node, value: progress, share, settle: () => resolve() });
        tryRecover();
      });
      return gathered;
    },
  }));
}
