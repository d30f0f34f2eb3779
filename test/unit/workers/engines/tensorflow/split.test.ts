import { describe, expect, it } from 'vitest';
import type { GraphNode } from '../../../../../shared/model/graph.ts';
import { PASS_PROGRAMS } from '../../../../../shared/model/phases.ts';
import { dcgan28 } from '../../../../../shared/model/spec.ts';
import { splitProgram } from '../../../../../workers/engines/tensorflow/split.ts';

const isLeaf = ({ op }: GraphNode): boolean => op === 'Placeholder' || op === 'Const';
const worked = (nodes: readonly GraphNode[]): string[] => nodes.filter((node) => !isLeaf(node)).map(({ name }) => name);

describe("the generator's pass, whose discriminator comes later", () => {
  const program = PASS_PROGRAMS.generator(3, dcgan28(5));
  const { first, rest, handed } = splitProgram(program, program.lateInputs ?? []);

  it('has every operation in one half, in its order', () => {
    const all = worked(program.graph.nodes);
    const [own, second] = [worked(first.graph.nodes), worked(rest.graph.nodes)];
    expect(all.filter((name) => own.includes(name))).toEqual(own);
    expect(all.filter((name) => second.includes(name))).toEqual(second);
    expect([...own, ...second].toSorted()).toEqual(all.toSorted());
  });

  it('makes the images in the first half, of the generator and noise alone', () => {
    expect(Object.keys(first.inputs).filter((name) => !name.startsWith('generator/'))).toEqual(['z']);
    expect(first.graph.nodes.map(({ op }) => op)).toContain('Tanh');
    expect(rest.graph.nodes.map(({ op }) => op)).not.toContain('Tanh');
  });

  it('has every output in one half, and hands over what the second half reads', () => {
    const outputs = Object.keys(program.outputs);
    const ofFirst = Object.keys(first.outputs).filter((name) => !handed.includes(name));
    expect(ofFirst).toEqual(outputs.filter((name) => name.startsWith('generator/')));
    expect(Object.keys(rest.outputs)).toEqual(outputs.filter((name) => !name.startsWith('generator/')));
    expect(handed.every((name) => name in first.outputs && name in rest.inputs)).toBe(true);
    const names = new Set(rest.graph.nodes.map(({ name }) => name));
    const missing = rest.graph.nodes.flatMap(({ inputs }) => inputs).filter((t) => !names.has(t.split(':')[0] ?? ''));
    expect(missing).toEqual([]);
  });
});

it('leaves everything in the first half when nothing is late, in the second when all is', () => {
  const program = PASS_PROGRAMS.real(3, dcgan28(5));
  const all = worked(program.graph.nodes);
  expect(worked(splitProgram(program, []).first.graph.nodes)).toEqual(all);
  const { first, rest, handed } = splitProgram(program, Object.keys(program.inputs));
  expect([worked(first.graph.nodes), worked(rest.graph.nodes), handed]).toEqual([[], all, []]);
});
