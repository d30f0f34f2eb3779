// A runner of programs that computes nothing, for tests of the replica and of the engine above it.
import { expect } from 'vitest';
import { layoutOf, type Pass, type Phase, phaseOf } from '../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../shared/model/phase-vector.ts';
import type { Program } from '../../../../shared/model/program.ts';
import { sizeOf } from '../../../../shared/model/shape.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import type { HostSetup } from '../../../../shared/protocol.ts';
import type { Precomputed } from '../../../../workers/engines/executor.ts';
import { ProgramEngine } from '../../../../workers/engines/program-engine.ts';
import type { ProgramRunner } from '../../../../workers/engines/program-runner.ts';
import { Replica } from '../../../../workers/replica/replica.ts';

export const LATENT = 2;
export const SHARD_SIZE = 3;
export const REPLICA = 6;

/** One run of a program. */
export interface Run {
  readonly program: string;
  readonly inputs: Readonly<Record<string, Float32Array>>;
  readonly precomputed?: Precomputed;
}

/** A runner whose outputs are 0, but for those of `outputs`; it remembers every run. */
export class FakeRunner implements ProgramRunner {
  readonly name = 'fake';
  readonly libraryVersion = '0';
  readonly runs: Run[] = [];
  readonly outputs: Record<string, (size: number) => Float32Array> = {};
  loaded = 0;
  disposed = 0;

  load(program: Program) {
    this.loaded++;
    return {
      run: async (inputs: Readonly<Record<string, Float32Array>>, precomputed?: Precomputed) => {
        for (const [name, { shape }] of Object.entries(program.inputs)) {
          expect(inputs[name]?.length, `${program.name}: ${name}`).toBe(sizeOf(shape));
        }
        this.runs.push({ program: program.name, inputs, ...(precomputed ? { precomputed } : {}) });
        const outputs = Object.entries(program.outputs).map(([name, { shape }]) => {
          const size = sizeOf(shape);
          return [name, this.outputs[name]?.(size) ?? new Float32Array(size)];
        });
        return Object.fromEntries(outputs);
      },
      dispose: () => {
        this.disposed++;
      },
    };
  }

  tensorCount(): number {
    return 0;
  }
}

export function setupOf(shards = 4): HostSetup {
  const slots = (pass: Pass): [Float32Array, Float32Array] => {
    const { length } = phaseVectorOf(phaseOf(pass), dcgan28(LATENT));
    return [new Float32Array(length), new Float32Array(length)];
  };
  const parameters = (phase: Phase) =>
    Float32Array.from({ length: layoutOf(phase, dcgan28(LATENT)).parameterCount }, (_, i) => i);
  return {
    replica: REPLICA,
    backend: 'cpu',
    shardSize: SHARD_SIZE,
    spec: dcgan28(LATENT),
    seed: 11,
    shards,
    parameters: { generator: parameters('generator'), discriminator: parameters('discriminator') },
    results: { real: slots('real'), fake: slots('fake'), generator: slots('generator') },
  };
}

/** A replica on a fake runner, which goes by the name of the engine here. */
export async function started(shards?: number) {
  const engine = new FakeRunner();
  const setup = setupOf(shards);
  const replica = await Replica.start(new ProgramEngine(engine), setup);
  return { engine, setup, replica };
}
