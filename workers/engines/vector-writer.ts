// Puts the outputs of a pass's program into a phase vector and looks at every value on the way: what the exact sum cannot take is found
// here, before anybody adds it.
import type { findOutside } from '../../shared/exact-sum.ts';
import { type Pass, phaseOf } from '../../shared/model/layout.ts';
import { labelOf, meanCrossEntropy, meanProbability } from '../../shared/model/losses.ts';
import { phaseVectorOf, type ScalarName, type Slice } from '../../shared/model/phase-vector.ts';
import type { Program } from '../../shared/model/program.ts';
import type { EngineSetup, OutOfRange } from './engine.ts';
import type { Values } from './executor.ts';

/** Writes the phase vectors of one pass. */
export class VectorWriter {
  readonly #pass: Pass;
  readonly #limit: number;
  readonly #label: number;
  readonly #findOutside: typeof findOutside;
  readonly #slices: readonly Slice[];
  readonly #scalars: Readonly<Record<ScalarName, number>>;
  /** Views of the vectors that have been written to: the coordinator gives the same ones again and again. */
  readonly #places = new WeakMap<Float32Array, Values>();

  constructor(
    pass: Pass,
    { spec, limit, realLabel }: Pick<EngineSetup, 'spec' | 'limit' | 'realLabel'>,
    program: Program,
    find: typeof findOutside,
  ) {
    const { slices, scalars } = phaseVectorOf(phaseOf(pass), spec);
    this.#pass = pass;
    this.#limit = limit;
    this.#label = labelOf(pass, realLabel);
    this.#findOutside = find;
    this.#slices = slices.filter(({ output }) => output in program.outputs);
    this.#scalars = scalars;
  }

  /** Where the outputs lie in a vector: an executor that writes them there saves a copy. */
  placesIn(vector: Float32Array): Values {
    let places = this.#places.get(vector);
    if (!places) {
      const views = this.#slices.map(({ output, offset, size }) => [output, vector.subarray(offset, offset + size)]);
      places = Object.fromEntries(views) as Values;
      this.#places.set(vector, places);
    }
    return places;
  }

  /**
   * Completes a vector.
   *
   * @param outputs all outputs of the program; those that are views from {@link placesIn} are there already
   * @returns the first value that the exact sum cannot take, else undefined
   */
  write(outputs: Values, vector: Float32Array): OutOfRange | undefined {
    const places = this.placesIn(vector);
    for (const { output, offset } of this.#slices) {
      const values = this.#outputOf(outputs, output);
      const outside = this.#findOutside(values, this.#limit);
      if (outside !== -1) return { name: `${output}[${outside}]`, value: values[outside] ?? Number.NaN };
      if (values !== places[output]) vector.set(values, offset);
    }
    const logits = this.#outputOf(outputs, 'logits');
    const pass = this.#pass;
    const scalars: readonly [ScalarName, number][] = [
      [pass === 'real' ? 'lossReal' : 'lossFake', meanCrossEntropy(logits, this.#label)],
      [pass === 'real' ? 'outputReal' : 'outputFake', meanProbability(logits)],
    ];
    for (const [name, value] of scalars) {
      if (!(Math.abs(value) < this.#limit)) return { name, value };
      vector[this.#scalars[name]] = value;
    }
    return undefined;
  }

  #outputOf(outputs: Values, name: string): Float32Array {
    const values = outputs[name];
    if (!values) throw new Error(`the program of ${this.#pass} gave no ${name}`);
    return values;
  }
}
