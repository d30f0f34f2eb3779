// Several nodes: the bits of one, whatever their number, and whichever of them dies when.
import { existsSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { configOf, type Ended, scratchFolder, stepsOf, succeed, summaryOf } from '../integration/ganglion.ts';
import { compileMpiKiller, HAS_FAULT_TOLERANCE, trainOnNodes } from '../integration/mpirun.ts';

const scratch = scratchFolder('many-nodes');
const QUIET = ['--seed', '7', '--metrics-port', 'off', '--evaluate-every', 'off'];
const STEPS = 6;
const SMALL = [
  ...QUIET,
  '--batch',
  '48',
  '--shards',
  '12',
  '--latent',
  '16',
  '--workers',
  '1',
  '--steps',
  String(STEPS),
];
let expected: unknown;

beforeAll(async () => {
  if (!HAS_FAULT_TOLERANCE) return;
  compileMpiKiller(scratch('libmpi-kill.so'));
  await succeed(['train', ...SMALL, '--run', scratch('small')]);
  expected = summaryOf(scratch('small')).stateSha256;
});

/** Lines of Ganglion, without those of mpirun. */
const linesOf = ({ stdout, stderr }: Ended): string[] =>
  `${stdout}\n${stderr}`.split(/\r?\n/).filter((line) => /ganglion:|lost/.test(line));

async function trainAndKill(nodes: number, kill: string, run: string, given: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const env = { GANGLION_LIBMPI: scratch('libmpi-kill.so'), KILL: kill, ...given };
  return await trainOnNodes(nodes, [...SMALL, '--run', run], { env, survives: true });
}

describe.skipIf(!HAS_FAULT_TOLERANCE)('several nodes', () => {
  it('train to the bits of one, with threads and processes', async () => {
    const flags = [...QUIET, '--steps', '60'];
    await succeed(['train', ...flags, '--workers', '2', '--run', scratch('1x2')]);
    const { stateSha256 } = summaryOf(scratch('1x2'));
    for (const [nodes, workers, isolation] of [
      [2, '2', 'thread'],
      [2, '1', 'process'],
      [3, '1', 'thread'],
    ] as const) {
      const run = scratch(`${nodes}x${workers}-${isolation}`);
      const given = ['--workers', workers, '--isolation', isolation, '--run', run];
      expect(await trainOnNodes(nodes, [...flags, ...given])).toMatchObject({ exitCode: 0 });
      expect([nodes, workers, isolation, summaryOf(run).stateSha256]).toEqual([nodes, workers, isolation, stateSha256]);
    }
  });

  it('go on with a run of one, as three and then as two', async () => {
    const run = scratch('resumed');
    const upTo = (steps: number) => [...SMALL.slice(0, -1), String(steps), '--run', run, '--resume', 'auto'];
    await succeed(['train', ...upTo(2)]);
    await trainOnNodes(3, upTo(4));
    await trainOnNodes(2, upTo(STEPS));
    expect([summaryOf(run).stateSha256, stepsOf(run)]).toEqual([expected, [1, 2, 3, 4, 5, 6]]);
  });

  // Reductions of the discriminator are even, those of the generator odd. Broadcasts 0 to 5 tell of the first three agreements.
  it.each([
    [3, '1:reduce:4:before', 'in the discriminator phase'],
    [3, '1:reduce:4:200', 'in the sum of the discriminator phase'],
    [3, '2:reduce:5:before', 'in the generator phase'],
    [3, '2:reduce:5:1000', 'in the sum of the generator phase'],
    [3, '1:reduce:11:after', 'after the last sum'],
    [3, '0:reduce:4:before', 'where it is the first, in the discriminator phase'],
    [3, '0:reduce:5:500', 'where it is the first, in the sum of the generator phase'],
    [3, '0:reduce:11:after', 'where it is the first, after the last sum'],
    [5, '0:reduce:4:before,3:reduce:4:before', 'where it is one of two of five'],
    [5, '1:reduce:5:before,2:shrink:0:before', 'beside one that dies while the others regroup'],
    [2, '1:reduce:5:before', 'as the second of two'],
  ])('of %i nodes, %s: go on without one that dies %s', async (nodes, kill) => {
    const run = scratch(kill.replaceAll(/[:,]/g, '-'));
    const ended = await trainAndKill(nodes, kill, run);
    expect(linesOf(ended).join('\n')).toContain('lost');
    expect([summaryOf(run).stateSha256, stepsOf(run)]).toEqual([expected, [1, 2, 3, 4, 5, 6]]);
  });

  it('keep where the weights came from when another one takes the folder over', async () => {
    const run = scratch('taken-over');
    const command = [...SMALL, '--from', scratch('small'), '--run', run];
    await trainOnNodes(3, command, {
      env: { GANGLION_LIBMPI: scratch('libmpi-kill.so'), KILL: '0:reduce:4:before' },
      survives: true,
    });
    expect(configOf(run).from).toBe(scratch('small'));
    const again = await trainOnNodes(2, [...command, '--resume', 'auto', '--steps', String(STEPS + 1)]);
    expect([again.exitCode, summaryOf(run).step]).toEqual([0, STEPS + 1]);
  });

  it('end resumable when the first of two dies', async () => {
    const run = scratch('first-of-two');
    const ended = await trainAndKill(2, '0:reduce:5:before', run);
    expect(linesOf(ended)).toEqual([
      'ganglion: node 1: lost 1 of 2 nodes (0); expected more than half to be left, or half with node 0',
    ]);
    expect(existsSync(`${run}/summary.json`)).toBe(false);
    await trainOnNodes(2, [...SMALL, '--run', run, '--resume', 'auto']);
    expect([summaryOf(run).stateSha256, stepsOf(run)]).toEqual([expected, [1, 2, 3, 4, 5, 6]]);
  });

  it('end resumable when one gives no answer', async () => {
    const run = scratch('frozen');
    const ended = await trainAndKill(2, '1:reduce:4:stop', run, { GANGLION_NODE_DEADLINE: '20' });
    expect(linesOf(ended)).toEqual(['ganglion: expected all other nodes within 20 s']);
    await trainOnNodes(2, [...SMALL, '--run', run, '--resume', 'auto']);
    expect([summaryOf(run).stateSha256, stepsOf(run)]).toEqual([expected, [1, 2, 3, 4, 5, 6]]);
  });
});
