import { describe, expect, it } from 'vitest';
import { Graph } from '../../../../../shared/model/graph.ts';
import * as op from '../../../../../shared/model/ops.ts';
import { planOf } from '../../../../../workers/engines/tfjs/portable-plan.ts';

/** Names of the nodes of a plan, and what each leaves behind. */
const summary = (plan: ReturnType<typeof planOf>) => plan.nodes.map(({ op: name, done }) => [name, done]);

describe('planOf', () => {
  it('keeps what outputs need, in the order of the graph, and frees tensors after their last reader', () => {
    const graph = new Graph();
    const x = graph.placeholder('x', [2]);
    const unused = graph.placeholder('unused', [2]);
    op.tanh(graph, unused);
    const a = op.tanh(graph, x);
    const b = op.multiply(graph, a, x);
    const c = op.add(graph, b, a);
    const plan = planOf({ name: 'test', graph, inputs: { x, unused }, outputs: { c, a } });
    expect([...plan.placeholders]).toEqual(['x']);
    expect(summary(plan)).toEqual([
      ['Tanh', []],
      ['Mul', ['x:0']],
      ['AddV2', [`${b.node}:0`]], // not a, which is an output
    ]);
    expect(plan.nodes.map(({ outputNames }) => outputNames)).toEqual([
      [`${a.node}:0`],
      [`${b.node}:0`],
      [`${c.node}:0`],
    ]);
  });

  it('never frees constants, and gives their values to the nodes that read them', () => {
    const graph = new Graph();
    const x = graph.placeholder('x', [2]);
    const y = op.multiply(graph, x, graph.scalar(3));
    const plan = planOf({ name: 'test', graph, inputs: { x }, outputs: { y } });
    expect(plan.constants.map(({ op: name }) => name)).toEqual(['Const']);
    expect(plan.nodes[0]).toMatchObject({ inputValues: [undefined, Float32Array.of(3)], done: ['x:0'] });
  });

  it('frees outputs that nobody reads as soon as they are there', () => {
    const graph = new Graph();
    const [x, scale, offset] = [
      graph.placeholder('x', [2, 1, 1, 3]),
      graph.placeholder('s', [3]),
      graph.placeholder('o', [3]),
    ];
    const { y, mean } = op.batchNorm(graph, x, scale, offset, 1e-5);
    const plan = planOf({ name: 'test', graph, inputs: { x, s: scale, o: offset }, outputs: { y, mean } });
    const name = y.node;
    expect(plan.nodes[0]?.done).toEqual(['x:0', 's:0', 'o:0', `${name}:2`, `${name}:3`, `${name}:4`, `${name}:5`]);
  });

  describe('a ReLU after a BatchNorm', () => {
    const build = () => {
      const graph = new Graph();
      const x = graph.placeholder('x', [2, 1, 1, 3]);
      const [scale, offset] = [graph.placeholder('s', [3]), graph.placeholder('o', [3])];
      const norm = op.batchNorm(graph, x, scale, offset, 1e-5);
      return { graph, norm, inputs: { x, s: scale, o: offset }, active: op.relu(graph, norm.y) };
    };

    it('is part of it where it is the only reader', () => {
      const { graph, norm, inputs, active } = build();
      const plan = planOf({ name: 'test', graph, inputs, outputs: { active, mean: norm.mean } });
      expect(plan.nodes.length).toBe(1);
      const [node] = plan.nodes;
      expect(node).toMatchObject({ op: 'FusedBatchNormV3', thenRelu: true });
      expect(node?.outputNames.slice(0, 2)).toEqual([`${active.node}:0`, `${norm.y.node}:1`]);
    });

    it.each([
      ['is an output too', (built: ReturnType<typeof build>) => ({ y: built.norm.y })],
      ['has another reader', (built: ReturnType<typeof build>) => ({ other: op.tanh(built.graph, built.norm.y) })],
    ])('is a step of its own where what it reads %s', (_, more) => {
      const built = build();
      const { graph, inputs, active } = built;
      const plan = planOf({ name: 'test', graph, inputs, outputs: { active, ...more(built) } });
      expect(plan.nodes.slice(0, 2)).toMatchObject([{ op: 'FusedBatchNormV3', thenRelu: false }, { op: 'Relu' }]);
    });
  });
});
