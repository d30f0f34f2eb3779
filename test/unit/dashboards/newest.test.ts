import { expect, it } from 'vitest';
import { Newest } from '../../../dashboards/live/newest.js';

/** A list on a coordinator, asked for by answers that come when the test says so. */
function list() {
  const questions: { answer: (steps: number[]) => void; fail: () => void }[] = [];
  const shown: number[][] = [];
  const get = () =>
    new Promise<number[]>((resolve, reject) => {
      questions.push({ answer: resolve, fail: () => reject(new Error('gone')) });
    });
  return { questions, shown, newest: new Newest(get, (steps) => shown.push(steps)) };
}
const answered = () => new Promise(setImmediate);

it('asks for the whole list when the newest is another, so none between is missed', async () => {
  const { questions, shown, newest } = list();
  void newest.follow(20);
  questions[0]?.answer([20]);
  await answered();
  void newest.follow(20);
  void newest.follow(60);
  questions[1]?.answer([20, 40, 60]);
  await answered();
  expect(shown).toEqual([[20], [20, 40, 60]]);
  expect(questions).toHaveLength(2);
});

it('asks one question at a time, and again for what came meanwhile', async () => {
  const { questions, shown, newest } = list();
  for (const step of [20, 40, 60]) void newest.follow(step);
  expect(questions).toHaveLength(1);
  questions[0]?.answer([20]);
  await answered();
  questions[1]?.answer([20, 40, 60]);
  await answered();
  expect(shown).toEqual([[20], [20, 40, 60]]);
  expect(questions).toHaveLength(2);
});

it('asks again for the same when what it shows is void, and after a question without an answer', async () => {
  const { questions, shown, newest } = list();
  void newest.follow(20);
  newest.forget();
  questions[0]?.answer([20]);
  await answered();
  questions[1]?.fail();
  await answered();
  void newest.follow(20);
  questions[2]?.answer([20]);
  await answered();
  expect(shown).toEqual([[20], [20]]);
});

it('shows an empty list where there is nothing', async () => {
  const { questions, shown, newest } = list();
  void newest.follow(null);
  questions[0]?.answer([]);
  await answered();
  expect(shown).toEqual([[]]);
});
