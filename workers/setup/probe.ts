// Proves that a backend computes here: small problems whose results are known, in a process of its own, as a library that does
// not fit the machine would kill this one.

import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { BACKENDS, type Backend } from '../../shared/backend.ts';
import { messageOf } from '../../shared/error.ts';
import { Graph } from '../../shared/model/graph.ts';
import { convolution, matMul } from '../../shared/model/ops.ts';
import type { Program } from '../../shared/model/program.ts';
import { sizeOf } from '../../shared/model/shape.ts';
import { lastLine, runCommand } from '../build/command.ts';
import { loadRunner } from '../engines/engines.ts';
import type { ProgramRunner } from '../engines/program-runner.ts';

const convolutionReport = z.object({ ok: z.boolean(), milliseconds: z.number(), gflops: z.number() });
const report = z.object({
  backend: z.enum(BACKENDS),
  runs: z.boolean(),
  /** What computes, or why it does not run. */
  detail: z.string(),
  /** Name and version of the engine, where it loads. */
  engine: z.object({ name: z.string(), libraryVersion: z.string() }).optional(),
  /** Of TensorFlow. */
  convolution: convolutionReport.optional(),
});

/** What a try of a backend came to. */
export type Probed = Readonly<z.infer<typeof report>>;

/** What the doctor says of a backend. */
export type BackendReport = Pick<Probed, 'backend' | 'runs' | 'detail'>;

/** Loading takes a second or two; a software GPU some more. */
const LIMIT_MS = 60_000;
const ENTRY = new URL('../entry/probe-entry.js', import.meta.url);

/** Tries a backend in a process of its own; never rejects. */
export async function probe(backend: Backend, limitMs = LIMIT_MS): Promise<Probed> {
  const fail = (detail: string): Probed => ({ backend, runs: false, detail });
  try {
    const result = await runCommand(process.execPath, [fileURLToPath(ENTRY), backend], {
      signal: AbortSignal.timeout(limitMs),
    });
    const parsed = report.safeParse(parseJson(lastLine(result.stdout)));
    if (parsed.success) return parsed.data;
    return fail(`crashed (${result.killedBy ?? `exit code ${result.exitCode}`}): ${lastLine(result.output)}`);
  } catch (error) {
    const late = error instanceof Error && error.name === 'TimeoutError';
    return fail(late ? `gave no answer in ${limitMs / 1000} s` : messageOf(error));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Tries a backend in this process; never rejects. */
export async function probeHere(backend: Backend): Promise<Probed> {
  try {
    const runner = await loadRunner(backend);
    const { name, libraryVersion, device } = runner;
    const right = await (backend === 'cpu' ? testKernels() : convolvesRightly(runner, backend));
    const engine = { name, libraryVersion };
    if (!right) return { backend, runs: false, detail: `${name} computes small problems wrongly`, engine };
    const measured = backend === 'tensorflow' ? { convolution: await measure() } : {};
    return {
      backend,
      runs: true,
      detail: [`${name} ${libraryVersion}`, (backend === 'cuda' ? await describeCuda() : device) ?? []]
        .flat()
        .join(', '),
      engine,
      ...measured,
    };
  } catch (error) {
    return { backend, runs: false, detail: messageOf(error) };
  }
}

async function describeCuda(): Promise<string> {
  const [{ describeGpus, loadCuda }, { locateCuda }] = await Promise.all([
    import('../engines/cuda/cuda-runner.ts'),
    import('../engines/cuda/library.ts'),
  ]);
  return describeGpus(loadCuda(locateCuda()));
}

/** The kernels are those of the passes alone, and test themselves. */
async function testKernels(): Promise<boolean> {
  const { requireKernels } = await import('../engines/kernels/binding.ts');
  return requireKernels().binding.selfTest();
}

async function convolvesRightly(runner: ProgramRunner, backend: Backend): Promise<boolean> {
  if (backend === 'cuda' || backend === 'wasm') return multipliesRightly(runner);
  const executor = runner.load(convolutionOfOnes());
  const { y } = await executor.run({ x: ones(INPUT), filter: ones(FILTER) });
  executor.dispose();
  return y?.length === EXPECTED.length && EXPECTED.every((value, i) => y[i] === value);
}

/** For the engines of Ganglion's own kernels, which have the convolutions of the model alone. */
async function multipliesRightly(runner: ProgramRunner): Promise<boolean> {
  const graph = new Graph();
  const [a, b] = [graph.placeholder('a', [2, 3]), graph.placeholder('b', [3, 32])];
  const program = { name: 'probe', graph, inputs: { a, b }, outputs: { y: matMul(graph, a, b) } };
  const executor = runner.load(program);
  const { y } = await executor.run({ a: ones([2, 3]), b: ones([3, 32]) });
  executor.dispose();
  return y?.length === 64 && y.every((value) => value === 3);
}

async function measure(): Promise<Probed['convolution']> {
  const [{ loadBinding }, { measureConvolution }] = await Promise.all([
    import('../engines/tensorflow/binding.ts'),
    import('../engines/tensorflow/convolution.ts'),
  ]);
  return measureConvolution(loadBinding());
}

/** One image of 8 x 8 pixels and two channels, a kernel of 4 x 4, stride 2, one pixel of padding. */
const INPUT = [1, 8, 8, 2] as const;
const FILTER = [4, 4, 2, 1] as const;
/** Inputs under the kernel: 3 * 3 * 2 in a corner, 3 * 4 * 2 at an edge, 4 * 4 * 2 inside. */
const EXPECTED = [18, 24, 24, 18, 24, 32, 32, 24, 24, 32, 32, 24, 18, 24, 24, 18];

function convolutionOfOnes(): Program {
  const graph = new Graph();
  const x = graph.placeholder('x', INPUT);
  const filter = graph.placeholder('filter', FILTER);
  const y = convolution(graph, x, filter, { stride: 2, padding: 1 });
  return { name: 'probe', graph, inputs: { x, filter }, outputs: { y } };
}

function ones(shape: readonly number[]): Float32Array {
  return new Float32Array(sizeOf(shape)).fill(1);
}
