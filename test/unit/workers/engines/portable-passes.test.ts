// The portable executor against libtensorflow: every node of every pass on the same inputs, and the passes as wholes.
import { beforeAll, describe, expect, it } from 'vitest';
import { Graph, type GraphNode, type Tensor } from '../../../../shared/model/graph.ts';
import { PASS_PROGRAMS } from '../../../../shared/model/phases.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { loadRunner } from '../../../../workers/engines/engines.ts';
import type { ProgramRunner } from '../../../../workers/engines/program-runner.ts';
import { PORTABLE_OPERATIONS } from '../../../../workers/engines/tfjs/portable-operations.ts';
import { BATCH, LATENT, passInputs, tensorsOf } from './pass-inputs.ts';
import { relativeError } from './run-graph.ts';
import { hasTensorflow } from './tensorflow/ready.ts';
import { withVulkan } from './tfjs/vulkan.ts';

const PASSES = ['real', 'fake', 'generator'] as const;
/** Of the largest value of a tensor. */
const CLOSE = 1e-5;

type Values = ReadonlyMap<string, Float32Array>;

const tensorflow = hasTensorflow ? await loadRunner('tensorflow') : undefined;
const inputs = passInputs();
const expected = new Map(
  await Promise.all(
    PASSES.map(async (pass) => [pass, tensorflow ? await tensorsOf(tensorflow, pass) : new Map()] as const),
  ),
);
const nodesOf = (pass: (typeof PASSES)[number]) => PASS_PROGRAMS[pass](BATCH, dcgan28(LATENT)).graph.nodes;
const valuesOf = (pass: (typeof PASSES)[number]): Values => expected.get(pass) ?? new Map();

/** A program of one node, and of the BatchNorm whose reserved outputs it reads; all else is fed. */
async function runAlone(engine: ProgramRunner, node: GraphNode, nodes: readonly GraphNode[], values: Values) {
  const graph = new Graph();
  const placeholders: Record<string, Tensor> = {};
  const fed: Record<string, Float32Array> = {};
  const byName = new Map(nodes.map((each) => [each.name, each]));
  const inputOf = (name: string): Tensor => {
    const [source = '', output = ''] = name.split(':');
    const made = byName.get(source);
    const given = made?.outputs[Number(output)];
    if (!made || !given) throw new Error(`no tensor ${name}`);
    const { value } = made.attributes;
    if (value?.kind === 'tensor') return graph.constant(value.value, value.shape);
    if (made.op === 'FusedBatchNormV3' && Number(output) >= 3) {
      const again = graph.nodes.some((each) => each.name === source) ? undefined : addNode(made);
      return again?.[Number(output)] ?? { node: source, output: Number(output), ...given };
    }
    const data = values.get(name) ?? inputs[source];
    if (!data) throw new Error(`no values of ${name}`);
    placeholders[name] ??= graph.placeholder(`input${Object.keys(placeholders).length}`, given.shape);
    fed[name] = data;
    return placeholders[name];
  };
  const addNode = ({ op, inputs: names, attributes, outputs, name }: GraphNode): Tensor[] => {
    const tensors = names.map(inputOf);
    return graph.add(op, tensors, attributes, outputs, name);
  };
  const outputs = Object.fromEntries(
    addNode(node)
      .slice(0, 3)
      .map((tensor) => [`${node.name}:${tensor.output}`, tensor]),
  );
  const executor = engine.load({ name: node.name, graph, inputs: placeholders, outputs });
  const results = await executor.run(fed);
  executor.dispose();
  return results;
}

/** Operations of a pass, each once. */
function operationsOf(pass: (typeof PASSES)[number]): string[] {
  const all = nodesOf(pass).map(({ op }) => op);
  return [...new Set(all)].filter((op) => op !== 'Const' && op !== 'Placeholder').sort();
}

it('the passes use every operation that the portable executor knows', () => {
  const used = new Set(PASSES.flatMap(operationsOf));
  expect([...used].sort()).toEqual(Object.keys(PORTABLE_OPERATIONS).sort());
});

it.skipIf(!tensorflow)('no activation is so near to 0 that rounding decides its sign', () => {
  for (const pass of PASSES) {
    for (const {
      name,
      op,
      inputs: [x = ''],
    } of nodesOf(pass)) {
      if (op !== 'Relu' && op !== 'LeakyRelu') continue;
      const values = (valuesOf(pass).get(x) ?? new Float32Array(1)).map(Math.abs);
      const [least, most] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [1e9, 0]);
      expect(least / most, `${pass}, ${name}`).toBeGreaterThan(1e-5);
    }
  }
});

describe.skipIf(!tensorflow).each(['js', ...withVulkan('webgpu')] as const)('%s', (backend) => {
  let engine: ProgramRunner;
  beforeAll(async () => {
    engine = await loadRunner(backend);
  });

  // At the sizes of one pass; of all operations at small ones in test/unit/workers/engines/op-values.test.ts.
  describe.each(['real'] as const)('each node of pass %s', (pass) => {
    it.each(operationsOf(pass))('%s gives what TensorFlow gives', async (op) => {
      const nodes = nodesOf(pass);
      for (const node of nodes.filter((each) => each.op === op)) {
        const results = await runAlone(engine, node, nodes, valuesOf(pass));
        for (const [name, got] of Object.entries(results)) {
          const values = valuesOf(pass).get(name) ?? new Float32Array();
          expect(relativeError(got, values), `${op} ${name}`).toBeLessThan(CLOSE);
        }
      }
    });
  });

  describe.each(PASSES)('pass %s', (pass) => {
    it('gives all outputs of the whole as TensorFlow does', async () => {
      const [theirs, own] = [tensorflow, engine].map((each) => each?.load(PASS_PROGRAMS[pass](BATCH, dcgan28(LATENT))));
      const [values = {}, got = {}] = [await theirs?.run(inputs), await own?.run(inputs)];
      expect(Object.keys(got)).toEqual(Object.keys(values));
      for (const [name, value] of Object.entries(values)) {
        expect(relativeError(got[name] ?? [], value), name).toBeLessThan(CLOSE);
      }
      theirs?.dispose();
      own?.dispose();
    });
  });
});
