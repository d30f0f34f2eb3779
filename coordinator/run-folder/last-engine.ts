// What computed a run last, by what it has written: stored configs of earlier versions do not tell kernels from TensorFlow.
import { readJsonLinesSync } from '../files/json-lines.ts';
import { runFolderAt } from './run-folder.ts';
import { readSummary } from './summary.ts';

/** The engine's name, such as `kernels-avx512`, `tensorflow-cpu` or `kernels-wasm`; undefined where the run has not written it. */
export function lastEngine(run: string): string | undefined {
  const folder = runFolderAt(run);
  let newest: string | undefined;
  try {
    readJsonLinesSync(folder.events, (event) => {
      newest = engineOf(event, 'environment') ?? newest;
    });
  } catch {
    // the run has none
  }
  return newest ?? engineOf(readSummary(folder));
}

/** @param within name of the object in `value` that has it */
function engineOf(value: unknown, within?: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  if (within !== undefined) return engineOf(fields[within]);
  const { backend, engine = backend } = fields; // `backend` was its name before 0.2
  return typeof engine === 'string' ? engine : undefined;
}
