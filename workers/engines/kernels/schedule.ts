// The order of a plan's kernel calls: results that only leave the program as soon as they can be computed, while their inputs are in the
// cache, and what can be precomputed first.
import type { KernelCall } from './lower.ts';

/** Puts every call whose results no other call reads right behind the calls that it reads. */
function putResultsEarly(calls: readonly KernelCall[]): KernelCall[] {
  const read = new Set(calls.flatMap(({ reads }) => reads));
  const missing = new Set(calls.flatMap(({ writes }) => writes));
  const isLast = ({ writes }: KernelCall): boolean => !writes.some((tensor) => read.has(tensor));
  const ordered: KernelCall[] = [];
  let waiting = calls.filter(isLast);
  const release = (): void => {
    const isReady = ({ reads }: KernelCall): boolean => !reads.some((tensor) => missing.has(tensor));
    ordered.push(...waiting.filter(isReady));
    waiting = waiting.filter((call) => !isReady(call));
  };
  release();
  for (const call of calls.filter((one) => !isLast(one))) {
    ordered.push(call);
    for (const tensor of call.writes) missing.delete(tensor);
    release();
  }
  return ordered;
}

/**
 * Orders the kernel calls of a program.
 *
 * @param lateTensors the late inputs: calls that need none of them come first
 * @returns the calls, and how many of the first can be precomputed
 */
export function scheduleNodes(
  calls: readonly KernelCall[],
  lateTensors: ReadonlySet<string>,
): { readonly ordered: KernelCall[]; readonly precomputable: number } {
  const needLate = new Set(lateTensors);
  const [first, last]: [KernelCall[], KernelCall[]] = [[], []];
  for (const call of putResultsEarly(calls)) {
    const isLate = call.reads.some((tensor) => needLate.has(tensor));
    if (isLate) for (const tensor of call.writes) needLate.add(tensor);
    (isLate ? last : first).push(call);
  }
  return { ordered: [...first, ...last], precomputable: lateTensors.size === 0 ? 0 : first.length };
}
