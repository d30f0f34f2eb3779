import { describe, expect, it } from 'vitest';
import { type Counter, type Key, philox } from '../../../shared/philox.ts';

function block(counter: Counter, key: Key): number[] {
  const out = new Uint32Array(4);
  philox(counter, key, out);
  return [...out];
}

describe('philox 4x32-10', () => {
  // Random123, tests/kat_vectors: counter, key, expected.
  it.each([
    {
      name: 'all zero',
      counter: [0, 0, 0, 0],
      key: [0, 0],
      expected: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    },
    {
      name: 'all ones',
      counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      key: [0xffffffff, 0xffffffff],
      expected: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    },
    {
      name: 'digits of pi',
      counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      key: [0xa4093822, 0x299f31d0],
      expected: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    },
  ] as const)('known answer of Random123: $name', ({ counter, key, expected }) => {
    expect(block(counter, key)).toEqual(expected);
  });

  it('writes four words at the index given and nothing beside them', () => {
    const out = new Uint32Array(8).fill(9);
    philox([0, 0, 0, 0], [0, 0], out, 3);
    expect([...out]).toEqual([9, 9, 9, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8, 9]);
  });

  it('gives another block when any word of counter or key changes by one bit', () => {
    const blocks = new Set([block([0, 0, 0, 0], [0, 0]).join()]);
    for (const bit of [0, 15, 16, 31]) {
      const word = 2 ** bit;
      for (let at = 0; at < 4; at++) {
        const counter = [0, 0, 0, 0].map((_, i) => (i === at ? word : 0)) as [number, number, number, number];
        blocks.add(block(counter, [0, 0]).join());
      }
      blocks.add(block([0, 0, 0, 0], [word, 0]).join());
      blocks.add(block([0, 0, 0, 0], [0, word]).join());
    }
    expect(blocks.size).toBe(1 + 4 * 6);
  });
});
