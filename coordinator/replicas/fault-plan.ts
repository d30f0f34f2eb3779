// --fault FILE: injects faults at planned places, for tests of a cluster. The replica group asks the plan whenever it assigns a shard.
import { z } from 'zod';
import { GanglionError } from '../../shared/error.ts';
import { FAULT_KINDS, type InjectedFault } from '../../shared/fault.ts';
import { phaseOf } from '../../shared/model/layout.ts';
import { show } from '../../shared/printable.ts';
import { describeShard } from '../../shared/protocol.ts';
import { fromSystemError } from '../files/atomic-file.ts';
import { parseJson } from '../files/json-text.ts';
import { MOST_TEXT_BYTES, readRegularSync } from '../files/regular-file.ts';
import type { Shard } from './replica.ts';

const whole = z.int().min(0);

/** One entry of a plan: a fault, and the shards that it hits. */
const entry = z
  .strictObject({
    kind: z.enum(FAULT_KINDS),
    /** As in the messages of faults: steps done before. */
    step: whole.exactOptional(),
    phase: z.enum(['discriminator', 'generator']).exactOptional(),
    pass: z.enum(['real', 'fake', 'generator']).exactOptional(),
    /** Any shard where it is left out. */
    shard: whole.exactOptional(),
    /** In place of a step: the next shard assigned so many milliseconds after the first one, unless it had a fault before. */
    afterMs: z.number().min(0).exactOptional(),
    /** Only when this replica gets the shard. */
    replica: whole.exactOptional(),
    /** Shards assigned with this fault. */
    times: z.int().min(1).default(1),
    ms: z.number().min(0).exactOptional(),
  })
  .refine(({ step, afterMs }) => (step === undefined) !== (afterMs === undefined), {
    error: 'expected either step or afterMs',
  })
  .refine(({ step, phase, pass }) => step === undefined || (phase === undefined) !== (pass === undefined), {
    error: 'expected either phase or pass',
  })
  .refine(({ afterMs, phase, pass, shard }) => afterMs === undefined || (phase ?? pass ?? shard) === undefined, {
    error: 'expected afterMs without phase, pass and shard',
  })
  .refine(({ kind, ms }) => kind !== 'delay' || ms !== undefined, { error: 'expected ms, the length of the delay' })
  .refine(({ kind, ms }) => kind === 'delay' || kind === 'freeze' || ms === undefined, {
    error: 'expected ms with delay and freeze only',
  });

type PlannedFault = z.infer<typeof entry>;

/**
 * Reads a plan.
 *
 * @param shards number of shards of the run
 * @throws GanglionError `config`, one line that names the entry
 */
export function readFaultPlan(path: string, shards: number): FaultPlan {
  let bytes: Buffer;
  try {
    bytes = readRegularSync(path, MOST_TEXT_BYTES);
  } catch (error) {
    throw fromSystemError(`cannot read fault plan ${path}`, error, 'config');
  }
  return new FaultPlan(parseFaults(parseJson(bytes, path, 'config'), path, shards));
}

function parseFaults(value: unknown, path: string, shards: number): PlannedFault[] {
  const parsed = z.array(entry).safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = (issue?.path ?? []).map((part) => (typeof part === 'number' ? `fault ${part}` : String(part)));
    const problem = (issue?.message ?? '').replace(/^(Invalid \w+|Too \w+): /, '');
    const got = place.length > 1 ? `, got ${show(valueAt(value, issue?.path ?? []))}` : '';
    throw new GanglionError('config', `${[path, ...place].join(': ')}: ${problem}${got}`);
  }
  for (const [i, { shard }] of parsed.data.entries()) {
    if (shard !== undefined && shard >= shards) {
      const message = `${path}: fault ${i}: shard: expected a number below ${shards} (--shards), got ${shard}`;
      throw new GanglionError('config', message);
    }
  }
  return parsed.data;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

/** Chooses the shards that get a fault. Each entry hits `times` shards. */
export class FaultPlan {
  readonly #entries: { readonly planned: PlannedFault; left: number }[];
  readonly #now: () => number;
  #firstMs: number | undefined;
  /** Shards that had a fault: a fault by time skips them, because two NaNs of one shard would be a bad shard and not a fault. */
  readonly #struck = new Set<string>();

  /** @param now monotonic clock in milliseconds */
  constructor(planned: readonly PlannedFault[], now: () => number = () => performance.now()) {
    this.#entries = planned.map((fault) => ({ planned: fault, left: fault.times }));
    this.#now = now;
  }

  /** The fault for a shard that is assigned to a replica now, if any. */
  take(shard: Shard, replica: number): InjectedFault | undefined {
    this.#firstMs ??= this.#now();
    const sinceMs = this.#now() - this.#firstMs;
    const name = describeShard(shard);
    const hit = this.#entries.find(
      ({ planned, left }) =>
        left > 0 &&
        isHit(planned, shard, replica, sinceMs) &&
        (planned.afterMs === undefined || !this.#struck.has(name)),
    );
    if (!hit) return undefined;
    hit.left -= 1;
    this.#struck.add(name);
    const { kind, ms } = hit.planned;
    return ms === undefined ? { kind } : { kind, ms };
  }
}

function isHit(planned: PlannedFault, { step, pass, shard }: Shard, replica: number, sinceMs: number): boolean {
  if (planned.replica !== undefined && planned.replica !== replica) return false;
  if (planned.afterMs !== undefined) return sinceMs >= planned.afterMs;
  const isPass = planned.pass === undefined ? planned.phase === phaseOf(pass) : planned.pass === pass;
  return isPass && planned.step === step && (planned.shard === undefined || planned.shard === shard);
}
