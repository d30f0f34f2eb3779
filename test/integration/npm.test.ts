// npm 11 parts flags from their values before a script sees them. Real npm, every flag of train, in every form.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { FULL_MNIST, REPOSITORY, scratchFolder, start, succeed, summaryOf } from './ganglion.ts';

const scratch = scratchFolder('npm');

/** `npm run --silent train:distributed ARGS`. */
function npmTrain(...args: string[]) {
  return start('npm', ['run', '--silent', 'train:distributed', ...args]).ended;
}

/** The config that a dry run resolves. */
async function resolved(...args: string[]): Promise<Record<string, unknown>> {
  const { exitCode, stdout, stderr } = await npmTrain(...args, '--dry-run');
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return JSON.parse(stdout);
}

beforeAll(async () => {
  writeFileSync(scratch('config.json'), '{ "latent": 33 }');
  await succeed(['train', '--batch', '16', '--steps', '1', '--metrics-port', 'off', '--run', scratch('earlier')]);
});

/** A value for every flag of train, none a default, and what the config then says. */
const FLAGS: [flag: string, value: string, expected: Record<string, unknown>][] = [
  ['--workers', '3', { workers: 3 }],
  ['--backend', 'wasm', { backend: 'wasm' }],
  ['--steps', '9', { steps: 9, epochs: null, totalSteps: 9 }],
  ['--epochs', '2', { epochs: 2, steps: null, totalSteps: 156 }],
  ['--batch', '32', { batch: 32 }],
  ['--shards', '8', { shards: 8 }],
  ['--latent', '64', { latent: 64 }],
  ['--seed', '7', { seed: 7 }],
  ['--lr', '0.001', { lr: 0.001 }],
  ['--beta1', '.9', { beta1: 0.9 }],
  ['--beta2', '0.99', { beta2: 0.99 }],
  ['--epsilon', '1e-7', { epsilon: 1e-7 }],
  ['--run', scratch('new'), { run: scratch('new') }],
  ['--checkpoint-every', '5', { checkpointEvery: 5 }],
  ['--samples-every', '6', { samplesEvery: 6 }],
  ['--metrics-port', 'off', { metricsPort: 'off' }],
  ['--api-token', 's3cret', {}], // never shown
  ['--config', scratch('config.json'), { latent: 33 }],
  ['--resume', scratch('earlier'), { run: scratch('earlier'), steps: 1, batch: 16 }],
];
if (existsSync(FULL_MNIST)) FLAGS.push(['--data', FULL_MNIST, { data: FULL_MNIST }]);

describe('npm run train:distributed', () => {
  it.concurrent.each(FLAGS)('takes %s VALUE', async (flag, value, expected) => {
    expect(await resolved(flag, value)).toMatchObject(expected);
  });

  // Flags of this form can be told apart, so many are tried at once: all but those that say the same thing twice.
  const rivals: Record<string, number> = { '--steps': 1, '--config': 1, '--resume': 2 };
  it.concurrent.each([0, 1, 2])('takes every --FLAG=VALUE (part %i)', async (part) => {
    const flags = FLAGS.filter(([flag]) => (rivals[flag] ?? 0) === part);
    const config = await resolved(...flags.map(([flag, value]) => `${flag}=${value}`));
    for (const [, , { totalSteps, ...expected }] of flags) expect(config).toMatchObject(expected);
  });

  it.concurrent('takes -- --workers VALUE, and the flags of every form together', async () => {
    expect(await resolved('--', '--workers', '4')).toMatchObject({ workers: 4 });
    expect(await resolved('--workers', '4', '--seed=7', '--', '--steps', '9', '--batch=32')).toMatchObject({
      workers: 4,
      seed: 7,
      steps: 9,
      batch: 32,
    });
  });

  it.concurrent('lets a flag after -- win over the same flag before it', async () => {
    expect(await resolved('--workers=2', '--', '--workers', '4')).toMatchObject({ workers: 4 });
  });

  it.concurrent.each([
    [['--workers', '4', '--steps', '9'], /values 4, 9 .* npm run train:distributed -- --workers VALUE --steps VALUE\n/],
    [
      ['--workers', '4', '--workers', '2'],
      /values 4, 2 .* npm run train:distributed -- --workers VALUE --workers VALUE\n/,
    ],
    [['4'], /values 4 .* npm run train:distributed -- --FLAG VALUE\n/],
    [['--workers', '4', '9'], /values 4, 9 .* npm run train:distributed -- --workers VALUE\n/],
    [['--workers=4', '9'], /values 9 .* npm run train:distributed -- --workers 4\n/],
    [['9', '--', '--workers', '4'], /values 9 .* npm run train:distributed -- /],
    [['--workers'], /no value for --workers; write: npm run train:distributed -- --workers VALUE\n/],
    [['--wrokers', '4'], /unknown option '--wrokers' \(Did you mean --workers\?\)\n/],
    [['--wrokers=4'], /unknown option '--wrokers' \(Did you mean --workers\?\)\n/],
    [['--', '--workers', '4', '9'], /too many arguments/],
    [['--', '--wrokers', '4'], /unknown option '--wrokers' \(Did you mean --workers\?\)/],
  ])('refuses %j in one line with the right spelling', async (args, line) => {
    const { exitCode, stdout, stderr } = await npmTrain(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^ganglion: [^\n]+\n$/);
    expect(stderr).toMatch(line);
  });

  it.concurrent('takes paths as of the folder where npm was called, also by --prefix', async () => {
    mkdirSync(scratch('here'));
    writeFileSync(scratch('here/own.json'), '{ "latent": 44 }');
    const args = ['--', '--config', 'own.json', '--run', 'out', '--dry-run'];
    const { exitCode, stdout } = await start(
      'npm',
      ['--prefix', REPOSITORY, 'run', '--silent', 'train:distributed', ...args],
      { cwd: scratch('here') },
    ).ended;
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ latent: 44, run: scratch('here/out') });
  });

  it('trains for real with 4 workers', async () => {
    const run = scratch('real');
    const args = ['--batch', '16', '--steps', '2', '--metrics-port', 'off', '--run', run];
    const { exitCode, stdout, stderr } = await npmTrain('--workers', '4', '--', ...args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('4 workers, 4 shards');
    expect(summaryOf(run)).toMatchObject({ step: 2, workers: 4 });
  });
});
