// `--from`: a run that begins with the weights of another one.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { checkpointPath, ganglion, SMALL, scratchFolder, succeed, summaryOf } from './ganglion.ts';

const scratch = scratchFolder('from');
const source = scratch('source');
const branch = scratch('branch');
const OTHER = ['--seed', '8', '--lr', '0.001', '--steps', '2'];

beforeAll(async () => {
  await succeed(['train', ...SMALL, '--steps', '2', '--run', source]);
  const begun = await ganglion(['train', ...SMALL, ...OTHER, '--from', source, '--workers', '1', '--run', branch]);
  expect(begun).toMatchObject({
    exitCode: 0,
    stderr: expect.stringMatching(/^ganglion: --from: begins at step 0 with the weights of step 2 of .*\n$/),
  });
});

it('trains from a run or a file with another recipe, to the same bits on any cluster, and resumed', async () => {
  const file = checkpointPath(source, 2);
  const half = scratch('half');
  const cluster = ['--isolation', 'process', '--workers', '2', '--run', half];
  await ganglion(['train', ...SMALL, ...OTHER, '--steps', '1', '--from', file, ...cluster]);
  await succeed(['train', '--resume', half, '--steps', '2', '--from', file]);
  expect(summaryOf(half).stateSha256).toBe(summaryOf(branch).stateSha256);
  await succeed(['train', ...SMALL, ...OTHER, '--run', scratch('plain')]);
  expect(summaryOf(scratch('plain')).stateSha256).not.toBe(summaryOf(branch).stateSha256);
  expect(JSON.parse(readFileSync(join(branch, 'config.json'), 'utf8'))).toMatchObject({ from: source, lr: 0.001 });
});

it('is refused in one line, and nothing is made, where it cannot be', async () => {
  writeFileSync(scratch('notes.txt'), 'x');
  for (const [args, message] of [
    [['--from', scratch('notes.txt')], /notes\.txt: .*/],
    [['--from', scratch('nothing')], /nothing/],
    [['--from', source, '--latent', '7'], /expected generator\.main\.0\.weight \[7,128,4,4\], got .*\[100,128,4,4\]/],
  ] as const) {
    const ended = await ganglion(['train', ...SMALL, '--steps', '1', ...args, '--run', scratch('refused')]);
    expect(ended).toMatchObject({ exitCode: 2, stdout: '', stderr: expect.stringMatching(/^ganglion: [^\n]+\n$/) });
    expect(ended.stderr).toMatch(message);
    expect(existsSync(scratch('refused'))).toBe(false);
  }
  const other = await ganglion(['train', '--resume', branch, '--steps', '3', '--from', branch]);
  expect(other).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining(`another --from ${branch} (the run has`),
  });
});
