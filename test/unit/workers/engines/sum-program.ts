// A small program for the tests of executors.
import { Graph } from '../../../../shared/model/graph.ts';
import { add, multiply } from '../../../../shared/model/ops.ts';
import type { Program } from '../../../../shared/model/program.ts';

/** sum = a + b, twice = 2a, both [2]. */
export function sumProgram(): Program {
  const graph = new Graph();
  const a = graph.placeholder('net/a.weight', [2]);
  const b = graph.placeholder('b', [2]);
  const sum = add(graph, a, b);
  const twice = multiply(graph, a, graph.scalar(2));
  return { name: 'sums', graph, inputs: { 'net/a.weight': a, b }, outputs: { sum, 'x/twice': twice, again: sum } };
}
