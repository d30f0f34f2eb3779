// The package as a library, each use in a process of its own that imports it by its name.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY, SMALL, scratchFolder, start, succeed, summaryOf } from './ganglion.ts';

const scratch = scratchFolder('library');
const SETTINGS = '{ steps: 6, batch: 16, shards: 4, seed: 7, workers: 2 }';

/** What a module that uses the library puts into `report`, and all that its process has printed. */
async function use(code: string) {
  const path = scratch(`report-${performance.now()}.json`);
  const module = `
    import { rmSync, writeFileSync } from 'node:fs';
    import { train, Generator, openRun, GanglionError } from 'ganglion';
    const signals = () => process.eventNames().filter((name) => /^SIG/.test(name)).length;
    const handles = () => process.getActiveResourcesInfo().filter((name) => /TCP|Server|MessagePort|Worker|Process/.test(name));
    const listeners = () => process.eventNames().map((name) => [name, process.listenerCount(name)]);
    /** What is still open once what was closed a moment ago has gone. */
    const left = async () => {
      for (let i = 0; i < 100 && handles().length > 0; i++) await new Promise((resolve) => setTimeout(resolve, 20));
      return handles();
    };
    const report = {};
    const before = JSON.stringify(listeners());
    ${code}
    writeFileSync(${JSON.stringify(path)}, JSON.stringify(report));`;
  const { exitCode, stdout, stderr } = await start(process.execPath, ['--input-type=module', '--eval', module]).ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const report: Record<string, unknown> = JSON.parse(readFileSync(path, 'utf8'));
  return { report, printed: stdout };
}

describe('train', () => {
  it('gives a record for every step, to the bits of the command line, and leaves nothing behind', async () => {
    const folder = scratch('command');
    await succeed(['train', ...SMALL, '--steps', '6', '--workers', '1', '--run', folder]);
    const { report, printed } = await use(`
      const training = train(${SETTINGS});
      report.steps = [];
      for await (const record of training) {
        report.steps.push(record);
        report.signals = signals();
        report.ports = handles().filter((name) => /TCP|Server/.test(name));
      }
      report.stateSha256 = await training.stateSha256();
      report.after = await left();
    `);
    expect(report).toMatchObject({ signals: 0, ports: [], after: [] });
    expect(printed).toBe('');
    const steps = report.steps as { step: number; lossG: number }[];
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(steps[0]).toMatchObject({ epoch: 0, lossG: expect.any(Number), imagesPerSecond: expect.any(Number) });
    expect(report.stateSha256).toBe(summaryOf(folder).stateSha256);
  });

  it('draws samples and writes a checkpoint of the step of the loop, and both at its end', async () => {
    const folder = scratch('six');
    const three = scratch('three');
    await succeed(['train', ...SMALL, '--steps', '3', '--workers', '1', '--run', three]);
    await succeed(['train', ...SMALL, '--steps', '6', '--workers', '1', '--run', folder]);
    const path = scratch('three.safetensors');
    const { report } = await use(`
      const training = train(${SETTINGS});
      for await (const { step } of training) {
        if (step !== 3) continue;
        report.saved = await training.checkpoint(${JSON.stringify(path)});
        const { values, count, shape } = await training.sample({ count: 2, seed: 5 });
        const again = await Generator.open(${JSON.stringify(path)}).draw({ count: 2, seed: 5 });
        report.images = { count, shape, length: values.length, equal: values.every((value, i) => value === again.values[i]) };
      }
      report.end = await training.stateSha256();
      report.drawn = (await training.sample({ count: 3 })).values.length;
    `);
    const { stateSha256 } = summaryOf(three);
    expect(report.saved).toEqual({ path, step: 3, stateSha256 });
    expect(report.images).toEqual({ count: 2, shape: [28, 28, 1], length: 2 * 784, equal: true });
    expect(report.end).toBe(summaryOf(folder).stateSha256);
    expect(report.drawn).toBe(3 * 784);
  });

  it('stops in order on an abort and when its loop is left, and can be resumed to the same bits', async () => {
    const whole = scratch('whole');
    await succeed(['train', ...SMALL, '--steps', '6', '--workers', '1', '--run', whole]);
    const folder = scratch('aborted');
    const { report, printed } = await use(`
      const run = ${JSON.stringify(folder)};
      const controller = new AbortController();
      report.steps = [];
      for await (const { step } of train({ ...${SETTINGS}, run, signal: controller.signal })) {
        report.steps.push(step);
        if (step === 2) controller.abort();
      }
      report.aborted = openRun(run).summary;
      for await (const { step } of train({ resume: run })) {
        report.resumed ??= step;
        break;
      }
      report.left = openRun(run).summary.step;
      const training = train({ resume: run });
      for await (const _ of training);
      report.saved = await training.checkpoint();
      const stored = openRun(run);
      report.summary = stored.summary;
      report.checkpoints = stored.checkpoints;
      report.logged = [];
      for await (const { step } of stored.steps()) report.logged.push(step);
      report.latent = stored.config.latent;
      report.listeners = JSON.stringify(listeners()) === before;
      report.signals = signals();
      report.after = await left();
    `);
    expect(printed).toBe('');
    expect(report).toMatchObject({
      aborted: { step: 3 },
      steps: [1, 2, 3],
      resumed: 4,
      left: 5,
      listeners: true,
      signals: 0,
      after: [],
    });
    const { stateSha256 } = summaryOf(whole);
    expect(report.summary).toMatchObject({ step: 6, stateSha256 });
    const newest = join(folder, 'checkpoints', 'step-00000006.safetensors');
    expect(report.saved).toEqual({ path: newest, step: 6, stateSha256 });
    expect((report.checkpoints as object[])[0]).toEqual({ path: newest, step: 6 });
    expect(report.logged).toEqual([1, 2, 3, 4, 5, 6]);
    expect(report.latent).toBe(100);
  });

  it('writes nothing where it is not asked to', async () => {
    const cwd = scratch('empty');
    mkdirSync(cwd);
    await use(`process.chdir(${JSON.stringify(cwd)}); for await (const _ of train(${SETTINGS}));`);
    expect(readdirSync(cwd)).toEqual([]);
  });

  it('opens a port only when it is asked to', async () => {
    const { report } = await use(`
      const run = ${JSON.stringify(scratch('served'))};
      for await (const { step } of train({ ...${SETTINGS}, run, metricsPort: 0 })) {
        report.ports = handles().filter((name) => /TCP|Server/.test(name)).length;
      }
    `);
    expect(report.ports).toBeGreaterThan(0);
  });

  it('says what is wrong with its options, and with a failure, by GanglionError', async () => {
    const { report } = await use(`
      const failureOf = async (action) => {
        try {
          await action();
        } catch (error) {
          return [error instanceof GanglionError, error.code, error.message];
        }
      };
      report.setting = await failureOf(() => train({ batch: 1 }));
      report.unknown = await failureOf(() => train({ bacth: 16 }));
      report.port = await failureOf(() => train({ metricsPort: 0 }));
      const one = train(${SETTINGS});
      report.early = await failureOf(() => train(${SETTINGS}).sample());
      report.folder = await failureOf(async () => {
        for await (const _ of train({ ...${SETTINGS}, run: ${JSON.stringify(REPOSITORY)} }));
      });
      report.together = await failureOf(async () => {
        for await (const _ of train({ batch: 10, shards: 3 }));
      });
      report.run = await failureOf(() => openRun('/nowhere'));
      report.generator = await failureOf(() => Generator.open('/nowhere.safetensors'));
      report.count = await failureOf(async () => {
        for await (const _ of one) await one.sample({ count: 0 });
      });
      const run = ${JSON.stringify(scratch('fails'))};
      const fails = train({ ...${SETTINGS}, run, samplesEvery: 1 });
      report.disk = await failureOf(async () => {
        for await (const _ of fails) rmSync(run + '/samples', { recursive: true });
      });
      report.afterwards = await failureOf(() => fails.checkpoint());
      report.body = await failureOf(async () => {
        for await (const _ of train(${SETTINGS})) throw new GanglionError('usage', 'of the loop');
      });
      report.after = await left();
    `);
    expect(report).toMatchObject({
      setting: [true, 'config', 'train: batch: expected a whole number from 2 to 8192, got 1'],
      unknown: [true, 'config', expect.stringMatching(/^train: unknown setting bacth; known: /)],
      port: [true, 'usage', 'train: metricsPort 0: expected a folder of the run (run) with it'],
      early: [true, 'usage', 'the training has not begun: iterate over its steps'],
      folder: [true, 'usage', expect.stringContaining('expected a new or empty folder')],
      together: [true, 'usage', expect.stringContaining('cannot be cut into 3 equal shards')],
      run: [true, 'usage', '/nowhere: expected the folder of a run, got none with a config.json'],
      generator: [true, 'checkpoint', expect.stringContaining('cannot read /nowhere.safetensors')],
      count: [true, 'usage', 'count: expected a whole number from 1 to 65536, got 0'],
      disk: [true, 'environment', expect.stringMatching(/^cannot write .*step-00000002\.png: no such file/)],
      afterwards: [true, 'usage', 'checkpoint: the run has ended by an error; expected a path to write it to'],
      body: [true, 'usage', 'of the loop'],
      after: [],
    });
  });
});

describe('examples/library.mjs', () => {
  it('runs', async () => {
    const path = scratch('example.safetensors');
    const example = join(REPOSITORY, 'examples', 'library.mjs');
    const { stdout, stderr } = await start(process.execPath, [example, path]).ended;
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^step 1: D\(x\) 0\.\d+, D\(G\(z\)\) 0\.\d+, loss G \d\.\d+$/m);
    expect(stdout).toContain('after step 3: 4 images of 28 x 28 x 1, 3136 values');
    const [, hash] = /^checkpoint of step 6: ([0-9a-f]{64})$/m.exec(stdout) ?? [];
    expect(await succeed(['inspect', path])).toContain(`state SHA-256   ${hash}`);
    expect(stdout).toContain('drawn from it: 16 images of 28 x 28 x 1');
  });
});
