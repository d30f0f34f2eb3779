// Runs one compiled program. Every engine of programs has its own executor; program-engine.ts turns executors into an Engine.

/** Values of inputs or outputs, by name. */
export type Values = Readonly<Record<string, Float32Array>>;

/** Results computed before the late inputs were known. They use memory until the run that takes them, or `dispose`. */
export interface Precomputed {
  dispose(): void;
}

/** One program, compiled. */
export interface Executor {
  /**
   * Runs the program once.
   *
   * @param inputs values of every input of the program, in the order of its shape
   * @param precomputed what {@link precompute} gave for the same inputs; used up. The outputs have the same bits with and without
   * @param into arrays that outputs may be written to, where the engine can; worthless when the run fails
   * @returns values of every output, owned by the caller; those of `into` that have been written to are among them
   * @throws GanglionError `shape` when an input is missing or has the wrong length, as a rejection
   */
  run(inputs: Values, precomputed?: Precomputed, into?: Values): Promise<Record<string, Float32Array>>;
  /** Computes what needs none of the late inputs (`Program.lateInputs`); undefined where there is nothing to compute. */
  readonly precompute?: ((inputs: Values) => Promise<Precomputed>) | undefined;
  /** Frees what the engine holds for the program. */
  dispose(): void;
}
