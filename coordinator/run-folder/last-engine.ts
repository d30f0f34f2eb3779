// What computed a run last, by what it has written: stored configs of earlier versions do not tell kernels from TensorFlow.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The engine's name, such as `kernels-avx512`, `tensorflow-cpu` or `tfjs-wasm`; undefined where the run has not written it. */
export function lastEngine(run: string): string | undefined {
  const events = readText(join(run, 'events.jsonl'))
    .split('\n')
    .map((line) => engineOf(parse(line), 'environment'));
  return events.findLast((engine) => engine !== undefined) ?? engineOf(parse(readText(join(run, 'summary.json'))));
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the run has none
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a line that was cut
  }
}

/** @param within name of the object in `value` that has it */
function engineOf(value: unknown, within?: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  if (within !== undefined) return engineOf(fields[within]);
  const { backend, engine = backend } = fields; // `backend` was its name before 0.2
  return typeof engine === 'string' ? engine : undefined;
}
