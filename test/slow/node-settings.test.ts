// Settings of a run on two nodes: the bits of one node.
import { writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ganglion, scratchFolder, stepsOf, succeed, summaryOf } from '../integration/ganglion.ts';
import { HAS_MPI, trainOnNodes } from '../integration/mpirun.ts';

const scratch = scratchFolder('node-settings');
const SMALL = ['--batch', '32', '--shards', '4', '--latent', '16', '--seed', '7', '--metrics-port', 'off'];
const RUN = [...SMALL, '--steps', '6'];
const QUIET = ['--evaluate-every', 'off'];

describe.skipIf(!HAS_MPI)('two nodes train to the bits of one', () => {
  beforeAll(async () => {
    await succeed(['train', ...RUN, ...QUIET, '--workers', '1', '--run', scratch('from')]);
    const kill = { kind: 'kill', step: 2, replica: 0, phase: 'generator' };
    writeFileSync(scratch('fault.json'), JSON.stringify([kill]));
  });

  it.each<[string, string[]]>([
    [
      'audited, in processes, averaged, with a falling rate',
      [...QUIET, '--workers', '2', '--audit', '0.5', '--isolation', 'process', '--ema', '0.9', '--lr-decay', 'linear'],
    ],
    [
      'on named devices, from the weights of a run, judged, with the best kept',
      ['--devices', 'cpu,wasm', '--from', scratch('from'), '--evaluate-every', '3', '--keep-best', 'on', '--keep', '1'],
    ],
    ['though a replica of the first is killed', [...QUIET, '--workers', '2', '--fault', scratch('fault.json')]],
  ])('%s', async (name, flags) => {
    const [one, two] = [scratch(`${name}-one`), scratch(`${name}-two`)];
    const alone = await ganglion(['train', ...RUN, ...flags, '--run', one]);
    expect(alone.exitCode).toBe(0);
    // What there is to say, as of --from, is said once.
    const { exitCode, stderr } = await trainOnNodes(2, [...RUN, ...flags, '--run', two]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: alone.stderr });
    const resultOf = (run: string) => {
      const { stateSha256, emaSha256, bestCheckpoint } = summaryOf(run);
      return { stateSha256, emaSha256, bestCheckpoint, steps: stepsOf(run) };
    };
    expect(resultOf(two)).toEqual(resultOf(one));
  });
});
