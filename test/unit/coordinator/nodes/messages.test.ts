import { describe, expect, it } from 'vitest';
import { refuse, sendToAll, share, together } from '../../../../coordinator/nodes/messages.ts';
import { EndedElsewhere } from '../../../../coordinator/training/exchange.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { Died, localNodes } from '../training/local-nodes.ts';

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('share', () => {
  it('gives every node what all have told, in their order', async () => {
    const all = await Promise.all(
      localNodes(3).map((nodes) => share(nodes, { node: nodes.node, text: 'ä'.repeat(nodes.node) })),
    );
    const expected = [0, 1, 2].map((node) => ({ node, text: 'ä'.repeat(node) }));
    expect(all).toEqual([expected, expected, expected]);
  });

  it('goes on without a node that dies meanwhile', async () => {
    for (let at = 0; at < 7; at++) {
      const nodes = localNodes(3, [{ node: 1, at, doneAt: [2] }]);
      const all = await Promise.all(nodes.map((one) => share(one, one.node).catch((error: unknown) => error)));
      expect(all[1]).toBeInstanceOf(Died);
      expect([at, all[0], all[2]]).toEqual([at, [0, 2], [0, 2]]);
    }
  });

  it('ends without a quorum', async () => {
    const [, second] = localNodes(2, [{ node: 0, at: 1 }]).map((one) => errorOf(share(one, one.node)));
    expect(await second).toMatchObject({ code: 'nodes' });
  });
});

describe('together', () => {
  it('gives every node its own result when all succeed', async () => {
    const results = localNodes(3).map((nodes) => together(nodes, async () => nodes.node));
    expect(await Promise.all(results)).toEqual([0, 1, 2]);
  });

  it.each([
    [0, 'no data'],
    [2, 'node 2: no data'],
  ])('ends all when node %i fails, and the first says why', async (failing, message) => {
    const errors = await Promise.all(
      localNodes(3).map((nodes) =>
        errorOf(
          together(nodes, async () => {
            if (nodes.node === failing) throw new GanglionError('data', 'no data');
          }),
        ),
      ),
    );
    expect(errors).toMatchObject(Array(3).fill({ code: 'data', exitCode: 2 }));
    expect(errors[0]).toMatchObject({ message });
    expect(errors.map((error) => error instanceof EndedElsewhere)).toEqual([false, true, true]);
  });

  it('says what the node says that failed first, not what others say of it', async () => {
    const errors = await Promise.all(
      localNodes(2).map((nodes) =>
        errorOf(
          together(nodes, () =>
            Promise.reject(
              nodes.node === 1
                ? new GanglionError('faults', 'no replica')
                : new EndedElsewhere('faults', 'node 1 gave up'),
            ),
          ),
        ),
      ),
    );
    expect(errors).toMatchObject([{ message: 'node 1: no replica' }, { code: 'faults' }]);
    expect(errors[0]).not.toBeInstanceOf(EndedElsewhere);
  });

  it('leaves a bug, and a group that has fallen apart, to the node itself', async () => {
    for (const error of [new TypeError('a bug'), new GanglionError('nodes', 'late')]) {
      const [nodes] = localNodes(2);
      if (!nodes) throw new Error('two nodes');
      expect(await errorOf(together(nodes, () => Promise.reject(error)))).toBe(error);
    }
  });
});

describe('sendToAll', () => {
  it('gives all the bytes of the first, whatever their number', async () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
    const sent = localNodes(3).map((nodes) => sendToAll(nodes, nodes.node === 0 ? bytes : new Uint8Array(3)));
    expect(await Promise.all(sent)).toEqual([bytes, bytes, bytes]);
  });
});

it('refuse ends all with one line', () => {
  const [first, second] = localNodes(2);
  if (!first || !second) throw new Error('two nodes');
  expect(() => refuse(first, 'usage', 'no')).toThrow(GanglionError);
  expect(() => refuse(second, 'usage', 'no')).toThrow(EndedElsewhere);
});
