// An engine that computes nothing, for tests of the replica.
import { expect } from 'vitest';
import { sizeOf } from '../../../../shared/model/graph.ts';
import { layoutOf, type Pass, type Phase, phaseOf } from '../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../shared/model/phase-vector.ts';
import type { Begun, Program } from '../../../../shared/model/program.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import type { ReplicaSetup } from '../../../../shared/protocol.ts';
import { type Engine, Replica } from '../../../../workers/replica/replica.ts';

export const LATENT = 2;
export const SHARD_SIZE = 3;
export const REPLICA = 6;

export type Run = { readonly program: string; readonly inputs: Record<string, Float32Array>; readonly begun?: Begun };

/** An engine whose outputs are 0, but for those of `outputs`; it remembers every run. */
export class FakeEngine implements Engine {
  readonly backend = 'fake';
  readonly libraryVersion = '0';
  readonly runs: Run[] = [];
  readonly outputs: Record<string, (size: number) => Float32Array> = {};
  loaded = 0;
  disposed = 0;

  load(program: Program) {
    this.loaded++;
    return {
      run: async (inputs: Readonly<Record<string, Float32Array>>, begun?: Begun) => {
        for (const [name, { shape }] of Object.entries(program.inputs)) {
          expect(inputs[name]?.length, `${program.name}: ${name}`).toBe(sizeOf(shape));
        }
        this.runs.push({ program: program.name, inputs, ...(begun ? { begun } : {}) });
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

export function setupOf(shards = 4): ReplicaSetup {
  const slots = (pass: Pass): [Float32Array, Float32Array] => {
    const { length } = phaseVectorOf(phaseOf(pass), dcgan28(LATENT));
    return [new Float32Array(length), new Float32Array(length)];
  };
  const parameters = (phase: Phase) =>
    Float32Array.from({ length: layoutOf(phase, dcgan28(LATENT)).parameterCount }, (_, i) => i);
  return {
    replica: REPLICA,
    backend: 'native',
    shardSize: SHARD_SIZE,
    spec: dcgan28(LATENT),
    seed: 11,
    shards,
    parameters: { generator: parameters('generator'), discriminator: parameters('discriminator') },
    results: { real: slots('real'), fake: slots('fake'), generator: slots('generator') },
  };
}

/** A replica on a fake engine. */
export async function started(shards?: number) {
  const engine = new FakeEngine();
  const setup = setupOf(shards);
  const replica = await Replica.start(engine, setup);
  return { engine, setup, replica };
}
