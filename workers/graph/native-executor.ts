// Runs a program by libtensorflow: one native call a run. The graph becomes a SavedModel in a temporary folder, is loaded
// into a session once, and optimised there by TensorFlow (Grappler).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GanglionError, systemErrorCode } from '../../shared/error.ts';
import type { NativeBinding } from '../native/binding.ts';
import { sizeOf, type Tensor, tensorName } from './graph.ts';
import type { Executor, Program } from './program.ts';
import { SERVE_TAG, writeSavedModel } from './saved-model.ts';

/** @throws GanglionError `environment` when the temporary folder cannot be written */
function writing<Result>(write: () => Result): Result {
  try {
    return write();
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === undefined) throw cause;
    const message = `cannot write to the temporary folder ${tmpdir()} (${code}); set TMPDIR to a folder you may write`;
    throw new GanglionError('environment', message, { cause });
  }
}

/** Loads a program into a session of its own. */
export class NativeExecutor implements Executor {
  readonly #binding: NativeBinding;
  readonly #program: Program;
  readonly #inputs: readonly [name: string, tensor: Tensor][];
  readonly #outputs: readonly [name: string, tensor: Tensor][];
  readonly #inputNames: string;
  readonly #outputNames: string;
  readonly #model: number;

  constructor(binding: NativeBinding, program: Program) {
    this.#binding = binding;
    this.#program = program;
    this.#inputs = Object.entries(program.inputs);
    this.#outputs = Object.entries(program.outputs);
    this.#inputNames = this.#inputs.map(([, tensor]) => tensorName(tensor)).join(',');
    this.#outputNames = this.#outputs.map(([, tensor]) => tensorName(tensor)).join(',');
    const folder = writing(() => mkdtempSync(join(tmpdir(), 'ganglion-graph-')));
    try {
      writing(() => writeSavedModel(program, folder));
      this.#model = binding.loadSavedModel(folder, SERVE_TAG);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async run(inputs: Readonly<Record<string, Float32Array>>): Promise<Record<string, Float32Array>> {
    const binding = this.#binding;
    const created: number[] = [];
    try {
      // Tensors borrow the arrays: nothing is copied where an array lies on a 64-byte boundary.
      for (const [name, { shape }] of this.#inputs) {
        const values = inputs[name];
        if (values?.length !== sizeOf(shape)) {
          const got = values ? `${values.length} values` : 'nothing';
          throw new GanglionError('shape', `${this.#program.name}: input ${name} expected [${shape}], got ${got}`);
        }
        created.push(binding.createTensor([...shape], binding.TF_FLOAT, values));
      }
      const results = binding.runSavedModel(this.#model, created, this.#inputNames, this.#outputNames);
      const outputs: Record<string, Float32Array> = {};
      for (const { id } of results) created.push(id);
      for (const [i, [name]] of this.#outputs.entries()) {
        const result = results[i];
        const values = result && binding.tensorDataSync(result.id);
        if (!(values instanceof Float32Array)) throw new Error(`${this.#program.name}: output ${name} is not float32`);
        outputs[name] = values;
      }
      return outputs;
    } finally {
      for (const id of created) binding.deleteTensor(id);
    }
  }

  dispose(): void {
    this.#binding.deleteSavedModel(this.#model);
  }
}
