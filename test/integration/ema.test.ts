// The averaged generator of runs: exact, resumed, shown by default, and never a part of what is trained; by a recipe that is not the default.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ganglion, reached, SMALL, scratchFolder, startGanglion, succeed, summaryOf } from './ganglion.ts';

const scratch = scratchFolder('ema');
const whole = scratch('whole');
const plain = scratch('plain');
const RECIPE = ['--lr-g', '0.001', '--label-smoothing', '0.1', '--lr-decay', 'cosine', '--steps', '12'];
const EMA = [...RECIPE, '--ema', '0.9', '--samples-every', '6', '--checkpoint-every', '4'];

beforeAll(async () => {
  await succeed(['train', ...SMALL, ...EMA, '--workers', '2', '--run', whole]);
  await succeed(['train', ...SMALL, ...RECIPE, '--ema', 'off', '--workers', '1', '--run', plain]);
});

describe('--ema', () => {
  it('is the same in processes, through a kill and with another number of workers, and leaves the state alone', async () => {
    const killed = scratch('killed');
    const running = startGanglion([
      'train',
      ...SMALL,
      ...EMA,
      '--isolation',
      'process',
      '--workers',
      '1',
      '--run',
      killed,
    ]);
    await reached(running, killed, 7);
    running.child.kill('SIGKILL');
    await running.ended;
    await succeed(['train', '--resume', killed, '--workers', '4']);
    const hashesOf = ({ stateSha256, emaSha256 }: Record<string, unknown>) => ({ stateSha256, emaSha256 });
    expect(hashesOf(summaryOf(killed))).toEqual(hashesOf(summaryOf(whole)));
    expect(summaryOf(whole)).toMatchObject({
      stateSha256: summaryOf(plain).stateSha256,
      emaSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const gridOf = (run: string): Buffer => readFileSync(join(run, 'samples', 'step-00000012.png'));
    expect(gridOf(killed).equals(gridOf(whole))).toBe(true);
    expect(gridOf(whole).equals(gridOf(plain))).toBe(false);
    expect(await succeed(['inspect', whole])).toContain(`average SHA-256 ${summaryOf(whole).emaSha256}`);
  });

  it('is what sample and evaluate draw with, unless they are told otherwise', async () => {
    const drawn = async (run: string, ...args: string[]): Promise<Buffer> => {
      const output = scratch('drawn.npy');
      await succeed(['sample', '--run', run, '--count', '8', '--output', output, ...args]);
      return readFileSync(output);
    };
    const raw = await drawn(whole, '--weights', 'raw');
    expect(raw.equals(await drawn(plain))).toBe(true);
    expect(raw.equals(await drawn(whole))).toBe(false);
    expect((await drawn(whole)).equals(await drawn(whole, '--weights', 'ema'))).toBe(true);
    expect(JSON.parse(await succeed(['evaluate', whole, '--count', '20', '--json']))).toMatchObject({ weights: 'ema' });
    const asked = await succeed(['evaluate', whole, '--count', '20', '--json', '--weights', 'raw']);
    expect(JSON.parse(asked)).toMatchObject({ weights: 'raw' });
  });

  it('is refused in one line where there is none, or where it would change', async () => {
    const none = await ganglion(['sample', '--run', plain, '--weights', 'ema', '--output', scratch('x.png')]);
    expect(none).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/^ganglion: --weights ema: .* has no averaged generator \(as by --ema off\)\n$/),
    });
    const other = await ganglion(['train', '--resume', whole, '--steps', '13', '--ema', '0.5']);
    expect(other).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(
        /another --ema 0\.5 \(the run has 0\.9\); another end: 13 total steps \(--lr-decay cosine .* 12; branch off with --from\)\n$/,
      ),
    });
  });
});
