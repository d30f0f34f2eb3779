// Proves that a backend computes here: a convolution of ones, whose result is known, in a process of its own, as a library that does
// not fit the machine would kill this one.

import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { BACKENDS, type Backend } from '../../shared/backend.ts';
import { messageOf } from '../../shared/error.ts';
import { Graph } from '../../shared/model/graph.ts';
import { convolution } from '../../shared/model/ops.ts';
import type { Program } from '../../shared/model/program.ts';
import { lastLine, runCommand } from '../build/command.ts';
import { loadRunner } from '../engines/engines.ts';

const report = z.object({ backend: z.enum(BACKENDS), runs: z.boolean(), detail: z.string() });

/** What the doctor says of a backend; `detail` is what computes, or why it does not run. */
export type BackendReport = Readonly<z.infer<typeof report>>;

/** Loading takes a second or two; a software GPU some more. */
const LIMIT_MS = 60_000;
const ENTRY = new URL('../entry/probe-entry.js', import.meta.url);

/** Tries a backend in a process of its own; never rejects. */
export async function probe(backend: Backend): Promise<BackendReport> {
  const fail = (detail: string): BackendReport => ({ backend, runs: false, detail });
  try {
    const result = await runCommand(process.execPath, [fileURLToPath(ENTRY), backend], {
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const parsed = report.safeParse(parseJson(lastLine(result.stdout)));
    if (parsed.success) return parsed.data;
    return fail(`crashed (${result.killedBy ?? `exit code ${result.exitCode}`}): ${lastLine(result.output)}`);
  } catch (error) {
    const late = error instanceof Error && error.name === 'TimeoutError';
    return fail(late ? `gave no answer in ${LIMIT_MS / 1000} s` : messageOf(error));
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
export async function probeHere(backend: Backend): Promise<BackendReport> {
  try {
    const runner = await loadRunner(backend);
    const executor = runner.load(convolutionOfOnes());
    const { y } = await executor.run({ x: ones(INPUT), filter: ones(FILTER) });
    executor.dispose();
    const { name, libraryVersion, device } = runner;
    const right = y?.length === EXPECTED.length && EXPECTED.every((value, i) => y[i] === value);
    if (!right) return { backend, runs: false, detail: `${name} computes a convolution of ones wrongly` };
    return { backend, runs: true, detail: [`${name} ${libraryVersion}`, device ?? []].flat().join(', ') };
  } catch (error) {
    return { backend, runs: false, detail: messageOf(error) };
  }
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
  return new Float32Array(shape.reduce((a, b) => a * b)).fill(1);
}
