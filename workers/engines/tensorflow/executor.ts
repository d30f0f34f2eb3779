// Runs a program by libtensorflow: one native call a run, or two where a program has late inputs. The graph becomes a SavedModel in
// a temporary folder, is loaded into a session once, and optimised there by TensorFlow (Grappler).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GanglionError, systemErrorCode } from '../../../shared/error.ts';
import { type Tensor, tensorName } from '../../../shared/model/graph.ts';
import type { Program } from '../../../shared/model/program.ts';
import { sizeOf } from '../../../shared/model/shape.ts';
import type { Executor, Precomputed, Values } from '../executor.ts';
import type { NativeBinding } from './binding.ts';
import { SERVE_TAG, writeSavedModel } from './saved-model.ts';
import { splitProgram } from './split.ts';

/** Ids of the binding's tensors, by name. */
type Ids = ReadonlyMap<string, number>;

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

/** A program in a session of its own. */
class Session {
  readonly #binding: NativeBinding;
  readonly #name: string;
  readonly #inputs: readonly [name: string, tensor: Tensor][];
  readonly #outputs: readonly string[];
  readonly #inputNames: string;
  readonly #outputNames: string;
  readonly #model: number;

  constructor(binding: NativeBinding, program: Program) {
    this.#binding = binding;
    this.#name = program.name;
    this.#inputs = Object.entries(program.inputs);
    this.#outputs = Object.keys(program.outputs);
    this.#inputNames = this.#inputs.map(([, tensor]) => tensorName(tensor)).join(',');
    this.#outputNames = Object.values(program.outputs).map(tensorName).join(',');
    const folder = writing(() => mkdtempSync(join(tmpdir(), 'ganglion-graph-')));
    try {
      writing(() => writeSavedModel(program, folder));
      this.#model = binding.loadSavedModel(folder, SERVE_TAG);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /**
   * @param handed inputs that are tensors already; they stay
   * @returns its outputs, which the caller deletes
   */
  run(inputs: Values, handed: Ids): Map<string, number> {
    const binding = this.#binding;
    const created: number[] = [];
    try {
      // Tensors borrow the arrays: nothing is copied where an array lies on a 64-byte boundary.
      const ids = this.#inputs.map(([name, { shape }]) => {
        const known = handed.get(name);
        if (known !== undefined) return known;
        const values = inputs[name];
        if (values?.length !== sizeOf(shape)) {
          const got = values ? `${values.length} values` : 'nothing';
          throw new GanglionError('shape', `${this.#name}: input ${name} expected [${shape}], got ${got}`);
        }
        const id = binding.createTensor([...shape], binding.TF_FLOAT, values);
        created.push(id);
        return id;
      });
      const results = binding.runSavedModel(this.#model, ids, this.#inputNames, this.#outputNames);
      return new Map(results.map(({ id }, i) => [this.#outputs[i] ?? '', id]));
    } finally {
      for (const id of created) binding.deleteTensor(id);
    }
  }

  dispose(): void {
    this.#binding.deleteSavedModel(this.#model);
  }
}

/** Tensors that one half of a program has computed. */
class Results implements Precomputed {
  readonly #binding: NativeBinding;
  #ids: Ids;

  constructor(binding: NativeBinding, ids: Ids) {
    this.#binding = binding;
    this.#ids = ids;
  }

  get ids(): Ids {
    return this.#ids;
  }

  dispose(): void {
    for (const id of this.#ids.values()) this.#binding.deleteTensor(id);
    this.#ids = new Map();
  }
}

/** Loads a program into one session, or its halves into two. */
export class TensorflowExecutor implements Executor {
  readonly precompute: Executor['precompute'];
  readonly #binding: NativeBinding;
  readonly #program: Program;
  readonly #first: Session | undefined;
  readonly #rest: Session;

  constructor(binding: NativeBinding, program: Program) {
    this.#binding = binding;
    this.#program = program;
    if (program.lateInputs) {
      const { first, rest } = splitProgram(program, program.lateInputs);
      this.#first = new Session(binding, first);
      this.#rest = new Session(binding, rest);
      this.precompute = async (inputs) => this.#precompute(inputs);
    } else this.#rest = new Session(binding, program);
  }

  async run(
    inputs: Values,
    precomputed: Precomputed = this.#precompute(inputs),
  ): Promise<Record<string, Float32Array>> {
    if (!(precomputed instanceof Results)) throw new Error(`${this.#program.name}: precomputed by another executor`);
    try {
      const rest = new Results(this.#binding, this.#rest.run(inputs, precomputed.ids));
      try {
        return this.#read(new Map([...precomputed.ids, ...rest.ids]));
      } finally {
        rest.dispose();
      }
    } finally {
      precomputed.dispose();
    }
  }

  dispose(): void {
    this.#first?.dispose();
    this.#rest.dispose();
  }

  #precompute(inputs: Values): Results {
    return new Results(this.#binding, this.#first?.run(inputs, new Map()) ?? new Map());
  }

  #read(ids: Ids): Record<string, Float32Array> {
    const outputs: Record<string, Float32Array> = {};
    for (const name of Object.keys(this.#program.outputs)) {
      const id = ids.get(name);
      const values = id === undefined ? undefined : this.#binding.tensorDataSync(id);
      if (!(values instanceof Float32Array)) throw new Error(`${this.#program.name}: output ${name} is not float32`);
      outputs[name] = values;
    }
    return outputs;
  }
}
