import { describe, expect, it } from 'vitest';
import { Graph, single, tensorName } from '../../../../shared/model/graph.ts';
import { sizeOf } from '../../../../shared/model/shape.ts';

describe('Graph', () => {
  it('collects nodes with the names of their inputs', () => {
    const graph = new Graph();
    const x = graph.placeholder('x', [2, 3]);
    expect(x).toEqual({ node: 'x', output: 0, shape: [2, 3], dtype: 'float32' });
    const value = { kind: 'int', value: 5 } as const;
    const outputs = graph.add('Split', [x], { n: value }, [
      { shape: [2, 1], dtype: 'float32' },
      { shape: [2], dtype: 'int32' },
    ]);
    expect(outputs).toEqual([
      { node: 'Split_1', output: 0, shape: [2, 1], dtype: 'float32' },
      { node: 'Split_1', output: 1, shape: [2], dtype: 'int32' },
    ]);
    const [, second] = outputs;
    if (!second) throw new Error('two outputs');
    expect(tensorName(second)).toBe('Split_1:1');
    graph.add('Use', [second, x], {}, [], 'use');
    expect(graph.nodes.map(({ name, op, inputs }) => ({ name, op, inputs }))).toEqual([
      { name: 'x', op: 'Placeholder', inputs: [] },
      { name: 'Split_1', op: 'Split', inputs: ['x:0'] },
      { name: 'use', op: 'Use', inputs: ['Split_1:1', 'x:0'] },
    ]);
    expect(graph.nodes[1]?.attributes).toEqual({ n: value });
  });

  it('rejects a name that is taken', () => {
    const graph = new Graph();
    graph.placeholder('x', [1]);
    expect(() => graph.placeholder('x', [2])).toThrow('graph node x exists already');
    expect(() => graph.add('Relu', [], {}, [], 'x')).toThrow('graph node x exists already');
    expect(graph.nodes.length).toBe(1);
  });

  it('makes one node of equal constants', () => {
    const graph = new Graph();
    const first = graph.constant(Float32Array.of(1, 2), [2]);
    expect(graph.constant(Float32Array.of(1, 2), [2])).toBe(first);
    expect(graph.scalar(0.5)).toBe(graph.constant(Float32Array.of(0.5), []));
    expect(graph.integers([4, 4])).toBe(graph.constant(Int32Array.of(4, 4), [2]));
    expect(graph.nodes.length).toBe(3);
  });

  it('keeps constants apart that differ in values, shape or type', () => {
    const graph = new Graph();
    const constants = [
      graph.constant(Float32Array.of(1, 2), [2]),
      graph.constant(Float32Array.of(1, 3), [2]),
      graph.constant(Float32Array.of(1, 2), [2, 1]),
      graph.constant(Float32Array.of(1, 2), [1, 2]),
      graph.constant(Int32Array.of(1, 2), [2]),
      graph.scalar(1),
      graph.constant(Float32Array.of(1), [1]),
      graph.constant(new Float32Array(0), [0]),
      // The smallest difference between two float32 values near 1.
      graph.scalar(1 + 2 ** -23),
    ];
    expect(new Set(constants.map(({ node }) => node)).size).toBe(constants.length);
  });

  it('rejects a constant whose values do not fill its shape', () => {
    const message = 'constant of shape [2,3] takes 6 values, got 5';
    expect(() => new Graph().constant(new Float32Array(5), [2, 3])).toThrow(message);
    expect(() => new Graph().constant(new Float32Array(0), [])).toThrow('constant of shape [] takes 1 values, got 0');
  });
});

it('sizeOf multiplies, and a scalar has one value', () => {
  expect([sizeOf([2, 3, 4]), sizeOf([]), sizeOf([5, 0])]).toEqual([24, 1, 0]);
});

it('single is the only output', () => {
  const tensor = new Graph().scalar(1);
  expect(single([tensor])).toBe(tensor);
  expect(() => single([tensor, tensor])).toThrow('expected one output, got 2');
  expect(() => single([])).toThrow('expected one output, got 0');
});
