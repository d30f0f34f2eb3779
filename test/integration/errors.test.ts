// Mistakes of the user and of the machine: one line, exit code 2 or 1, and nothing half-written.
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type Ended, FULL_MNIST, ganglion, MAIN, scratchFolder, start } from './ganglion.ts';

const scratch = scratchFolder('errors');
const OFF = ['--metrics-port', 'off'] as const;

/** Fails unless the process said one line on standard error, nothing else, and ended with the code. */
function expectOneLine({ exitCode, stdout, stderr }: Ended, code: 1 | 2, line: RegExp): void {
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: code, stdout: '', stderr: expect.stringMatching(line) });
  expect(stderr).toMatch(/^ganglion: [^\n]+\n$/);
}

describe('flags of train', () => {
  it.concurrent.each([
    [['--wrokers', '4'], /unknown option '--wrokers' \(Did you mean --workers\?\)/],
    [['--checkpoints-every', '4'], /Did you mean --checkpoint-every\?/],
    [['4'], /too many arguments/],
    [['--steps'], /'--steps <N>' argument missing/],
    [['--workers', 'many'], /--workers: expected .*, got "many"/],
    [['--steps', '1.5'], /--steps: expected a whole number of at least 1, got 1\.5/],
    [['--seed', '1e400'], /--seed: expected a whole number/],
    [['--batch', ''], /--batch: expected a whole number from 2 to 8192, got ""/],
    [['--lr', 'NaN'], /--lr: expected a number above 0, at most 1, got "NaN"/],
    [['--beta1', '1'], /--beta1: expected a number from 0 to below 1, got 1/],
    [['--metrics-port', '65536'], /--metrics-port: expected a port from 0 to 65535, or off, got 65536/],
    [['--data', ''], /--data: expected a folder or a file, got ""/],
    [['--steps', '3', '--epochs', '4'], /give --steps or --epochs, not both/],
    [['--workers', '5'], /--workers 5: expected at most 4, the number of shards/],
    [['--backend', 'gpu'], /--backend: expected auto, cpu, cuda, tensorflow, wasm, webgpu or js, got "gpu"/],
    [['--fault', 'nowhere.json'], /cannot read fault plan nowhere\.json: /],
    [['--batch', '10'], /--batch 10 cannot be cut into 4 equal shards/],
    [['--batch', '4'], /--batch 4 with --shards 4: expected at least 2 images a shard/],
  ])('%j', async (args, line) => {
    expectOneLine(await ganglion(['train', ...args], { cwd: scratch() }), 2, line);
    expect(existsSync(scratch('runs'))).toBe(false);
  });
});

describe('flags of the other commands', () => {
  it.concurrent.each([
    [['trian'], /unknown command 'trian' \(Did you mean train\?\)/],
    [['sample'], /required option '--run <DIR>' not specified/],
    [['sample', '--run', 'none', '--count', '0'], /Expected a whole number from 1 to 65536/],
    [
      ['sample', '--run', 'none', '--output', 'x.jpg'],
      /--output x\.jpg: expected a file name that ends in \.png or \.npy/,
    ],
    [['sample', '--run', 'none'], /none: no such folder/],
    [['sample', '--run', 'none', '--backend', 'gpu'], /--backend: expected auto, cpu, .*, got "gpu"/],
    [['evaluate'], /missing required argument/],
    [['evaluate', 'none'], /cannot read none/],
    [['evaluate', 'none', '--count', '1'], /Expected a whole number from 2 to 65536/],
    [['evaluate', 'none', '--data', ''], /--data: expected .*, got ""/],
    [['inspect'], /missing required argument/],
    [['inspect', 'none'], /none: expected a checkpoint or a run folder, got nothing there/],
    [['data'], /data: expected PATH to look at, or --output DIR to fetch a set into/],
    [['data', '--output', 'x', 'cifar'], /data --output: expected mnist or fashion-mnist, got "cifar"/],
    [['data', 'none'], /cannot read none: no such file or directory/],
    [['data', 'none', '--resize', 'crop'], /--resize: expected fit, cover or stretch, got "crop"/],
    [['doctor', '--jsno'], /unknown option '--jsno' \(Did you mean --json\?\)/],
    [['setup', '--force'], /unknown option '--force'/],
  ])('%j', async (args, line) => {
    expectOneLine(await ganglion(args, { cwd: scratch() }), 2, line);
  });
});

describe('control characters', () => {
  const HOSTILE = '\u001b[2J\u009bx\u202e';
  const SHOWN = '\\\\u001b\\[2J\\\\u009bx\\\\u202e';

  it.concurrent.each([
    [['train', `--${HOSTILE}`]],
    [['train', '--lr', HOSTILE]],
    [['train', '--data', HOSTILE]],
    [['train', '--config', HOSTILE]],
    [['train', '--fault', HOSTILE]],
    [['train', '--resume', HOSTILE]],
    [['sample', '--run', HOSTILE]],
    [['evaluate', HOSTILE]],
    [['inspect', HOSTILE]],
    [['view', HOSTILE]],
    [[HOSTILE]],
  ])('of %j are escaped', async (args) => {
    expectOneLine(await ganglion(args, { cwd: scratch() }), 2, new RegExp(SHOWN));
  });

  it('of a run are escaped on the terminal and in its files', async () => {
    const run = scratch(`run${HOSTILE}`);
    const small = ['--workers', '1', '--batch', '8', '--shards', '4', '--latent', '16', '--steps', '1'];
    const { stdout } = await ganglion(['train', ...OFF, ...small, '--run', run]);
    expect(stdout).toMatch(new RegExp(SHOWN));
    const { stdout: report } = await ganglion(['report', run]);
    const { stdout: inspected } = await ganglion(['inspect', run]);
    const files = ['config.json', 'events.jsonl', 'metrics.jsonl', 'summary.json', 'report.html'];
    const texts = [stdout, report, inspected, ...files.map((name) => readFileSync(join(run, name), 'utf8'))];
    expect(texts.filter((text) => /\p{Cc}|\p{Bidi_Control}/u.test(text.replaceAll('\n', '')))).toEqual([]);
    expect(JSON.parse(readFileSync(join(run, 'config.json'), 'utf8')).run).toBe(run);
  });
});

describe('a config file', () => {
  it.concurrent.each([
    ['that is missing', 'missing.json', undefined, /cannot read config file missing\.json: no such file/],
    ['that is not JSON', 'text.json', '{ "steps": 3, ', /text\.json: expected JSON, got an error: /],
    [
      'of 20,000 levels',
      'deep.json',
      '['.repeat(20_000) + ']'.repeat(20_000),
      /deep\.json: expected an object of settings, got \[\[/,
    ],
    [
      'with a value of 20,000 levels',
      'depth.json',
      `{"lr":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      /lr: expected a number .*, got \[\[/,
    ],
    [
      'with a long key',
      'long.json',
      `{"${'x'.repeat(1e5)}":1}`,
      /unknown setting x+…\(100000 characters\)…x+; known: .{1,900}\n$/,
    ],
    ['that is no object', 'list.json', '[1]', /list\.json: expected an object of settings, got \[1\]/],
    [
      'with an unknown key',
      'key.json',
      '{ "step": 3 }',
      /key\.json: unknown setting step; known: workers, .*, steps, /,
    ],
    ['with a bad value', 'value.json', '{ "lr": "fast" }', /value\.json: lr: expected a number above 0.*, got "fast"/],
    ['with a text for a number', 'number.json', '{ "batch": "16" }', /batch: expected a whole number .*, got "16"/],
  ])('%s', async (_, name, text, line) => {
    if (text !== undefined) writeFileSync(scratch(name), text);
    expectOneLine(await ganglion(['train', '--config', name], { cwd: scratch() }), 2, line);
  });
});

describe('the run folder', () => {
  it('given by --run must be new or empty', async () => {
    mkdirSync(scratch('taken'));
    writeFileSync(scratch('taken', 'thesis.tex'), 'mine');
    const ended = await ganglion(['train', ...OFF, '--run', scratch('taken')]);
    expectOneLine(ended, 2, /--run .*taken: expected a new or empty folder, got 1 entries; resume with --resume /);
    expect(readFileSync(scratch('taken', 'thesis.tex'), 'utf8')).toBe('mine');
  });

  it('given by --run must not be a file, nor below one', async () => {
    writeFileSync(scratch('file'), '');
    expectOneLine(await ganglion(['train', ...OFF, '--run', scratch('file')]), 1, /file.*not a directory/);
    expectOneLine(await ganglion(['train', ...OFF, '--run', scratch('file', 'run')]), 1, /run.*not a directory/);
  });

  it('given by --resume must hold a run', async () => {
    mkdirSync(scratch('no-run'));
    const line = /expected a valid checkpoint, got no checkpoint/;
    expectOneLine(await ganglion(['train', ...OFF, '--resume', scratch('no-run')]), 2, line);
    expectOneLine(await ganglion(['train', ...OFF, '--resume', scratch('nowhere')]), 2, /nowhere: no such folder/);
    expect(existsSync(scratch('nowhere'))).toBe(false);
  });
});

it('a port in use is refused before anything is made', async () => {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '::', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  try {
    const ended = await ganglion(['train', '--metrics-port', String(port), '--run', scratch('port')]);
    expectOneLine(ended, 1, new RegExp(`${port}`));
    expect(existsSync(scratch('port'))).toBe(false);
  } finally {
    server.close();
  }
});

describe.skipIf(!existsSync(FULL_MNIST))('the data folder', () => {
  const IMAGES = 'train-images-idx3-ubyte';
  const OTHERS = ['train-labels-idx1-ubyte', 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'];

  /** A folder with the four real files, of which the training images are changed. */
  function dataFolder(name: string, file: string, change: (bytes: Buffer) => Buffer): string {
    const folder = scratch(name);
    mkdirSync(folder);
    for (const other of OTHERS) symlinkSync(join(FULL_MNIST, `${other}.gz`), join(folder, `${other}.gz`));
    const packed = readFileSync(join(FULL_MNIST, `${IMAGES}.gz`));
    writeFileSync(join(folder, file), change(file.endsWith('.gz') ? packed : gunzipSync(packed)));
    return folder;
  }

  const flipAt = (index: number) => (bytes: Buffer) => {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(index) ^ 1, index);
    return changed;
  };

  it.concurrent.each([
    ['one changed pixel', 'pixel', IMAGES, flipAt(5_000_000), /train-images-idx3-ubyte.*SHA-256/],
    ['a changed magic number', 'magic', IMAGES, flipAt(3), /train-images-idx3-ubyte.*magic/],
    ['a changed count', 'count', IMAGES, flipAt(7), /train-images-idx3-ubyte/],
    ['a cut end', 'cut', IMAGES, (bytes: Buffer) => bytes.subarray(0, -1), /train-images-idx3-ubyte/],
    ['one changed compressed byte', 'gz', `${IMAGES}.gz`, flipAt(5_000_000), /train-images-idx3-ubyte\.gz/],
  ])('with %s', async (_, name, file, change, line) => {
    const folder = dataFolder(name, file, change);
    const ended = await ganglion(['train', ...OFF, '--data', folder, '--run', scratch(`${name}-run`)]);
    expectOneLine(ended, 2, line);
    expect(existsSync(scratch(`${name}-run`))).toBe(false);
  });

  it('that is missing, empty or a file', async () => {
    mkdirSync(scratch('empty'));
    writeFileSync(scratch('plain'), '');
    for (const name of ['absent', 'empty', 'plain']) {
      const ended = await ganglion(['train', ...OFF, '--data', scratch(name), '--run', scratch('no-data')]);
      expectOneLine(ended, 2, new RegExp(name));
    }
    expect(existsSync(scratch('no-data'))).toBe(false);
  });
});

it('a current folder that was removed is named as the reason', async () => {
  const folder = scratch('gone');
  for (const command of ['train --run out', 'train --resume /none', 'sample --run /none', 'doctor']) {
    mkdirSync(folder);
    const line = `cd ${folder} && rmdir ${folder} && exec ${process.execPath} ${MAIN} ${command}`;
    const { exitCode, stderr } = await start('sh', ['-c', line]).ended;
    const reason = 'ganglion: the current folder does not exist any more; change to another\n';
    expect({ command, exitCode, stderr }).toEqual({ command, exitCode: 1, stderr: reason });
  }
});

it('a limit of open files that is too low for the program itself is named', async () => {
  for (const limit of [40, 64]) {
    const line = `ulimit -n ${limit} && exec ${process.execPath} ${MAIN} train --dry-run`;
    const { exitCode, stderr } = await start('sh', ['-c', line]).ended;
    const reason = 'ganglion: too many open files; raise the limit (ulimit -n) to 256 or more\n';
    expect({ limit, exitCode, stderr }).toEqual({ limit, exitCode: 1, stderr: reason });
  }
});
