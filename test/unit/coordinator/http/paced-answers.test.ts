import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { atMostEvery, PacedAnswers } from '../../../../coordinator/http/paced-answers.ts';

/** Answers that take 10 ms of the event loop each, and when each was made. */
function paced(options = {}) {
  const times: number[] = [];
  const clock = { ms: 0 };
  const now = () => clock.ms;
  const pause = async (ms: number) => {
    clock.ms += ms;
  };
  const answers = new PacedAnswers({ now, pause, ...options });
  const ask = (question: string) =>
    answers.get(question, () => {
      times.push(now());
      clock.ms += 10;
      return `${question} ${times.length}`;
    });
  return { times, ask, answers, pause };
}

describe('PacedAnswers', () => {
  it('takes a tenth of the event loop, however many ask', async () => {
    const { times, ask } = paced();
    const asked = Array.from({ length: 20 }, (_, i) => ask(String(i)));
    await Promise.all(asked);
    expect(times).toEqual(Array.from({ length: 20 }, (_, i) => i * 100));
  });

  it('answers at once where nobody has asked of late', async () => {
    const { times, ask, pause } = paced();
    expect(await ask('a')).toBe('a 1');
    await pause(1000);
    expect(await ask('a')).toBe('a 2');
    expect(times).toEqual([0, 1010]);
  });

  it('gives all who wait for the same one answer', async () => {
    const { times, ask } = paced();
    const asked = ['a', 'b', 'b', 'b'].map(ask);
    expect(await Promise.all(asked)).toEqual(['a 1', 'b 2', 'b 2', 'b 2']);
    expect(times).toHaveLength(2);
  });

  it('refuses more than so many that wait', async () => {
    const { ask } = paced({ most: 2 });
    const asked = ['a', 'b'].map(ask);
    expect(() => ask('c')).toThrow('too many requests wait');
    expect(() => ask('b')).not.toThrow();
    await Promise.all(asked);
    expect(() => ask('c')).not.toThrow();
  });

  it('goes on after one that fails', async () => {
    const { ask, answers } = paced();
    const fail = () => {
      throw new Error('no');
    };
    await expect(answers.get('x', fail)).rejects.toThrow('no');
    expect(await ask('a')).toBe('a 1');
  });
});

it('atMostEvery makes one answer an interval', async () => {
  let made = 0;
  const get = atMostEvery(250, async () => ++made);
  expect(await Promise.all([get(), get()])).toEqual([1, 1]);
  await delay(260);
  expect(await Promise.all([get(), get()])).toEqual([2, 2]);
});
