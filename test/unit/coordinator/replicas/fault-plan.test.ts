import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FaultPlan, readFaultPlan } from '../../../../coordinator/replicas/fault-plan.ts';
import type { Shard } from '../../../../coordinator/replicas/replica.ts';
import type { Pass } from '../../../../shared/model/layout.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';

const at = (step: number, pass: Pass, shard: number): Shard => ({ step, pass, shard });

function planOf(content: unknown): { readonly path: string; readonly plan: () => FaultPlan } {
  const path = join(scratchFolder(), 'faults.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return { path, plan: () => readFaultPlan(path, 4) };
}

describe('readFaultPlan', () => {
  const PLACE = { step: 2, phase: 'generator', shard: 1 };

  it('reads entries by place and by time', () => {
    const { plan } = planOf([
      { kind: 'kill', ...PLACE },
      { kind: 'freeze', afterMs: 0, ms: 20 },
    ]);
    expect(plan().take(at(2, 'generator', 1), 0)).toEqual({ kind: 'kill' });
  });

  it.each([
    ['not JSON', 'kill', /: expected JSON, got an error: /],
    ['no list', { kind: 'kill' }, /faults\.json: expected array, received object$/],
    ['an unknown kind', [{ ...PLACE, kind: 'burn' }], /: fault 0: kind: expected one of "kill"\|.*, got "burn"$/],
    ['no kind', [PLACE], /: fault 0: kind: expected one of/],
    ['a negative step', [{ kind: 'kill', ...PLACE, step: -1 }], /: fault 0: step: expected number to be >=0, got -1$/],
    ['half a step', [{ kind: 'kill', ...PLACE, step: 1.5 }], /: fault 0: step: expected int, .*, got 1\.5$/],
    ['an unknown pass', [{ kind: 'kill', step: 1, shard: 1, pass: 'both' }], /: fault 0: pass: .*, got "both"$/],
    ['an unknown key', [{ kind: 'kill', ...PLACE, rank: 1 }], /: fault 0: Unrecognized key: "rank"$/],
    ['phase and pass', [{ kind: 'kill', ...PLACE, pass: 'generator' }], /: fault 0: expected either phase or pass$/],
    ['no phase', [{ kind: 'kill', step: 1, shard: 1 }], /: fault 0: expected either phase or pass$/],
    ['no place', [{ kind: 'kill' }], /: fault 0: expected either step or afterMs$/],
    ['step and time', [{ kind: 'kill', ...PLACE, afterMs: 5 }], /: fault 0: expected either step or afterMs$/],
    ['shard and time', [{ kind: 'kill', shard: 1, afterMs: 5 }], /: fault 0: expected afterMs without phase, pass and/],
    ['no delay', [{ kind: 'delay', ...PLACE }], /: fault 0: expected ms, the length of the delay$/],
    ['a useless time', [{ kind: 'kill', ...PLACE, ms: 5 }], /: fault 0: expected ms with delay and freeze only$/],
    ['never', [{ kind: 'kill', ...PLACE, times: 0 }], /: fault 0: times: expected number to be >=1, got 0$/],
    ['no such shard', [{ kind: 'kill', ...PLACE, shard: 4 }], /: fault 0: shard: expected a number below 4 .*, got 4$/],
  ])('refuses %s in one line', async (_, content, message) => {
    const { path, plan } = planOf(content);
    const error = await errorOf(plan);
    expect(error).toMatch(message);
    expect(error.startsWith(`config: ${path}: `)).toBe(true);
    expect(error).not.toContain('\n');
  });

  it('refuses a file that is not there', async () => {
    expect(await errorOf(() => readFaultPlan('/nowhere.json', 4))).toMatch(/^config: cannot read fault plan \/nowhere/);
  });
});

describe('FaultPlan', () => {
  it('hits a pass, or any pass of a phase, of one shard of one step, as often as planned', () => {
    const plan = new FaultPlan([
      { kind: 'delay', ms: 5, step: 3, pass: 'fake', shard: 1, times: 1 },
      { kind: 'kill', step: 4, phase: 'discriminator', shard: 0, times: 2 },
    ]);
    const misses = [at(2, 'fake', 1), at(3, 'real', 1), at(3, 'fake', 0), at(4, 'generator', 0)];
    for (const shard of misses) expect(plan.take(shard, 0)).toBeUndefined();
    expect(plan.take(at(3, 'fake', 1), 0)).toEqual({ kind: 'delay', ms: 5 });
    expect(plan.take(at(3, 'fake', 1), 1)).toBeUndefined();
    expect(plan.take(at(4, 'real', 0), 0)).toEqual({ kind: 'kill' });
    expect(plan.take(at(4, 'fake', 0), 1)).toEqual({ kind: 'kill' });
    expect(plan.take(at(4, 'fake', 0), 2)).toBeUndefined();
  });

  it('hits any shard where none is named, and waits for its replica', () => {
    const plan = new FaultPlan([{ kind: 'flip', step: 0, pass: 'real', replica: 2, times: 1 }]);
    expect(plan.take(at(0, 'real', 0), 1)).toBeUndefined();
    expect(plan.take(at(0, 'real', 3), 2)).toEqual({ kind: 'flip' });
  });

  it('hits the next shard after a time that begins with the first shard', () => {
    let nowMs = 1000;
    const plan = new FaultPlan([{ kind: 'throw', afterMs: 500, times: 1 }], () => nowMs);
    expect(plan.take(at(0, 'real', 0), 0)).toBeUndefined();
    nowMs = 1499;
    expect(plan.take(at(0, 'real', 1), 0)).toBeUndefined();
    nowMs = 1500;
    expect(plan.take(at(7, 'generator', 3), 0)).toEqual({ kind: 'throw' });
    expect(plan.take(at(7, 'generator', 3), 0)).toBeUndefined(); // computed again
    expect(plan.take(at(8, 'real', 0), 0)).toBeUndefined();
  });

  it('by time, hits no shard twice', () => {
    const plan = new FaultPlan([
      { kind: 'nan', afterMs: 0, times: 1 },
      { kind: 'nan', afterMs: 0, times: 1 },
    ]);
    expect(plan.take(at(0, 'real', 0), 0)).toEqual({ kind: 'nan' });
    expect(plan.take(at(0, 'real', 0), 1)).toBeUndefined();
    expect(plan.take(at(0, 'real', 1), 1)).toEqual({ kind: 'nan' });
  });
});
