import { describe, expect, it } from 'vitest';
import { NOTE_LENGTH, Notes } from '../../../../coordinator/training/notes.ts';

/** What a sum of the rooms of two nodes is, when it is the turn of the second. */
function sumOf(first: Notes, second: Notes): Float64Array {
  const rooms = [new Float64Array(NOTE_LENGTH).fill(9), new Float64Array(NOTE_LENGTH).fill(9)] as const;
  first.write(rooms[0], false);
  second.write(rooms[1], true);
  return rooms[0].map((value, i) => value + (rooms[1][i] as number));
}

function pair(texts: (string | undefined)[]) {
  const told: [number, string][] = [];
  const first = new Notes({ node: 0, onTold: (node, text) => told.push([node, text]) });
  const second = new Notes({ node: 3, tell: () => texts.shift() });
  /** @returns how many sums it took */
  const add = (sums: number): void => {
    for (let sum = 0; sum < sums; sum++) {
      const room = sumOf(first, second);
      for (const notes of [first, second]) notes.read(room);
    }
  };
  return { told, first, second, add };
}

describe('Notes', () => {
  it('bring texts of any length, part by part, with every byte', () => {
    const every = String.fromCodePoint(...Array.from({ length: 2000 }, (_, i) => i));
    const texts = ['a', 'sechs!', '7 bytes', 'x'.repeat(750), 'y'.repeat(751), every, 'end'];
    const { told, add } = pair([...texts]);
    add(5);
    expect(told.length).toBe(4); // the fifth takes two sums
    add(12);
    expect(told).toEqual(texts.map((text) => [3, text]));
  });

  it('tell nothing where there is nothing to tell, or it is the turn of another', () => {
    const { told, add } = pair([undefined, 'a', undefined]);
    add(1);
    expect(told).toEqual([]);
    add(2);
    expect(told).toEqual([[3, 'a']]);
    const room = new Float64Array(NOTE_LENGTH).fill(9);
    new Notes({ node: 1, tell: () => 'not now' }).write(room, false);
    expect(room.every((value) => value === 0)).toBe(true);
  });

  it('write the same again when a sum was not done', () => {
    const { told, first, second, add } = pair(['z'.repeat(1000), 'next']);
    add(1);
    expect(sumOf(first, second)).toEqual(sumOf(first, second));
    add(2);
    expect(told).toEqual([
      [3, 'z'.repeat(1000)],
      [3, 'next'],
    ]);
  });

  it('drop what a lost node has not told to the end', () => {
    const { told, first, add } = pair(['z'.repeat(1000), 'other']);
    add(1);
    first.forget([3]);
    const again = new Notes({ node: 3, tell: () => 'from the start' });
    first.read(sumOf(first, again));
    expect(told).toEqual([[3, 'from the start']]);
  });
});
