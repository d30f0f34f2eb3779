import { describe, expect, it } from 'vitest';
import { StepGate } from '../../../../coordinator/library/step-gate.ts';
import { settled } from '../replicas/stub-replicas.ts';

/** Passes steps 1 to 3, as training does, and says what it has done. */
function trained(gate: StepGate<number>) {
  const done: number[] = [];
  const over = (async () => {
    for (const step of [1, 2, 3]) {
      done.push(step);
      await gate.pass(step);
    }
    gate.end();
  })();
  return { done, over };
}

async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await settled();
}

describe('StepGate', () => {
  it('gives every step in order, and lets training go on when the next one is asked for', async () => {
    const gate = new StepGate<number>();
    const { done, over } = trained(gate);
    for (const step of [1, 2, 3]) {
      expect(await gate.next()).toBe(step);
      await turns();
      expect(done.at(-1)).toBe(step);
    }
    expect(await gate.next()).toBeUndefined();
    expect(await gate.next()).toBeUndefined();
    await over;
  });

  it('lets training go to its end when the consumer leaves', async () => {
    const gate = new StepGate<number>();
    const { done, over } = trained(gate);
    expect(await gate.next()).toBe(1);
    gate.release();
    await over;
    expect(done).toEqual([1, 2, 3]);
  });

  it('does at once what needs a whole state while training waits, and training waits for it', async () => {
    const gate = new StepGate<number>();
    const { done } = trained(gate);
    await gate.next();
    let finish = (): void => {};
    const drawn = gate.whenWhole(() => new Promise<string>((resolve) => (finish = () => resolve('images'))));
    void gate.next();
    await turns();
    expect(done).toEqual([1]);
    finish();
    expect(await drawn).toBe('images');
    await turns();
    expect(done).toEqual([1, 2]);
  });

  it('does it after the step under way while there is one, and at once after the last', async () => {
    const gate = new StepGate<number>();
    const states: string[] = [];
    const note = (text: string) => gate.whenWhole(async () => states.push(text));
    void note('before the first');
    await turns();
    expect(states).toEqual([]);
    void gate.next();
    void gate.pass(1);
    await turns();
    expect(states).toEqual(['before the first']);
    void gate.next();
    await turns(); // step 2 is under way
    void note('during the second');
    await turns();
    expect(states).toHaveLength(1);
    gate.end();
    await note('at the end');
    expect(states).toEqual(['before the first', 'during the second', 'at the end']);
  });

  it('gives an error to who asked, and goes on', async () => {
    const gate = new StepGate<number>();
    const { over } = trained(gate);
    await gate.next();
    await expect(gate.whenWhole(() => Promise.reject(new Error('disk full')))).rejects.toThrow('disk full');
    gate.release();
    await over;
  });
});
