import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { JsonLines } from '../../../../coordinator/files/json-lines.ts';
import {
  createRunFolder,
  newRunPath,
  removeTemporaries,
  runFolderAt,
  setOddAside,
  writeJson,
} from '../../../../coordinator/run-folder/run-folder.ts';
import { countStepFaults } from '../../../../coordinator/run-folder/step-faults.ts';
import { stepOf } from '../../../../coordinator/run-folder/step-log.ts';
import { canMount, errorOf, scratchFolder, smallFileSystem } from '../../scratch.ts';
import { ODD_KINDS } from '../odd-files.ts';

describe('createRunFolder', () => {
  it('makes the folders of a new run, also under folders that are missing', () => {
    const path = join(scratchFolder(), 'runs', 'a');
    expect(createRunFolder(path)).toEqual({
      path,
      config: join(path, 'config.json'),
      evaluations: join(path, 'evaluations.jsonl'),
      metrics: join(path, 'metrics.jsonl'),
      events: join(path, 'events.jsonl'),
      checkpoints: join(path, 'checkpoints'),
      samples: join(path, 'samples'),
      summary: join(path, 'summary.json'),
      report: join(path, 'report.html'),
      targets: join(path, 'targets.json'),
    });
    expect(readdirSync(path).toSorted()).toEqual(['checkpoints', 'samples']);
  });

  it('takes an empty folder', () => {
    const path = scratchFolder();
    createRunFolder(path);
    expect(existsSync(join(path, 'checkpoints'))).toBe(true);
  });

  it('refuses a folder that holds something, and leaves it alone', async () => {
    const path = scratchFolder();
    writeFileSync(join(path, 'thesis.txt'), 'x');
    expect(await errorOf(() => createRunFolder(path))).toBe(
      `usage: --run ${path}: expected a new or empty folder, got 1 entries; resume with --resume ${path}`,
    );
    expect(readdirSync(path)).toEqual(['thesis.txt']);
  });

  /** Makes a folder of these names; those that end in / are folders. */
  function folderWith(...names: string[]): string {
    const path = scratchFolder();
    for (const name of names) {
      if (name.endsWith('/')) mkdirSync(join(path, name));
      else writeFileSync(join(path, name), '');
    }
    return path;
  }

  it.each([
    [['checkpoints/']],
    [['checkpoints/', 'samples/', 'samples/real.png', '.config.json.1a2b.tmp']],
    [
      [
        'checkpoints/',
        'samples/',
        'config.json',
        'metrics.jsonl',
        'events.jsonl',
        'checkpoints/.step-00000000.safetensors.1a2b.tmp',
      ],
    ],
  ])('takes what a run leaves that ends before its first checkpoint: %j', (names) => {
    expect(() => createRunFolder(folderWith(...names))).not.toThrow();
  });

  it.each([
    [['checkpoints/', 'checkpoints/step-00000000.safetensors']],
    [['checkpoints/', 'config.json', 'summary.json']],
    [['checkpoints/', 'notes.txt']],
    [['samples/', 'config.json']],
  ])('refuses another run, and what is no run: %j', async (names) => {
    const path = folderWith(...names);
    expect(await errorOf(() => createRunFolder(path))).toMatch(/^usage: --run .*: expected a new or empty folder, got/);
  });

  it('refuses a run whose checkpoints somebody has removed: its log is worth something', async () => {
    const path = folderWith('checkpoints/', 'samples/', 'config.json');
    writeFileSync(join(path, 'metrics.jsonl'), '{"step":1}\n');
    expect(await errorOf(() => createRunFolder(path))).toMatch(/expected a new or empty folder, got 4 entries/);
  });

  it('says that a file is in the way', async () => {
    const path = join(scratchFolder(), 'file');
    writeFileSync(path, '');
    expect(await errorOf(() => createRunFolder(path))).toBe(
      `environment: cannot use ${path} as run folder: not a directory`,
    );
  });
});

describe('newRunPath', () => {
  it('names a run after its time and seed', () => {
    expect(newRunPath(new Date('2026-11-23T04:28:25.678Z'), 7)).toBe(join('runs', '2026-11-23T04-28-25-seed7'));
  });
});

describe('removeTemporaries', () => {
  it('removes what writeFileAtomicSync leaves when killed, and nothing else', () => {
    const run = createRunFolder(join(scratchFolder(), 'a'));
    const kept = [
      join(run.path, 'config.json'),
      join(run.path, 'notes.tmp'),
      join(run.checkpoints, 'step-00000001.safetensors'),
    ];
    const left = [
      join(run.path, '.config.json.1a2b.tmp'),
      join(run.checkpoints, '.step-00000002.safetensors.00ff.tmp'),
      join(run.samples, '.a.png.1.tmp'),
    ];
    for (const path of [...kept, ...left]) writeFileSync(path, '');
    removeTemporaries(run);
    expect(kept.map((path) => existsSync(path))).toEqual([true, true, true]);
    expect(left.map((path) => existsSync(path))).toEqual([false, false, false]);
  });
});

describe('setOddAside', () => {
  const KINDS = ODD_KINDS.filter(({ name }) => name !== '3 GiB' && name !== 'a dangling link');

  it.each(KINDS)('makes room for a checkpoint and a grid where there is $name', async ({ make }) => {
    const run = createRunFolder(join(scratchFolder(), 'run'));
    const names = ['checkpoints/step-00000020.safetensors', 'samples/step-00000020.png'];
    for (const name of names) await make(join(run.path, name));
    mkdirSync(join(run.checkpoints, 'step-00000020.safetensors.odd'));
    setOddAside(run, 20);
    expect(readdirSync(run.checkpoints).toSorted()).toEqual([
      'step-00000020.safetensors.odd',
      'step-00000020.safetensors.odd2',
    ]);
    expect(readdirSync(run.samples)).toEqual(['step-00000020.png.odd']);
  });

  it('leaves files, earlier steps and all other names alone', async () => {
    const run = createRunFolder(join(scratchFolder(), 'run'));
    const names = ['step-00000010.safetensors', 'step-00000030.safetensors', 'best', 'step-00000030.txt'];
    for (const name of names) {
      if (name.startsWith('step-00000030.s')) writeFileSync(join(run.checkpoints, name), '');
      else mkdirSync(join(run.checkpoints, name));
    }
    setOddAside(run, 20);
    expect(readdirSync(run.checkpoints).toSorted()).toEqual(names.toSorted());
  });
});

describe('writeJson', () => {
  it('writes readable JSON that ends with a line', () => {
    const path = join(scratchFolder(), 'a.json');
    writeJson(path, { a: [1] });
    expect(readFileSync(path, 'utf8')).toBe('{\n  "a": [\n    1\n  ]\n}\n');
  });
});

describe('JsonLines', () => {
  const upTo = (step: number) => (record: unknown) => stepOf(record) <= step;

  /** What is left of `content` after opening it. */
  async function kept(content: string, keep?: (record: unknown) => boolean): Promise<string> {
    const path = join(scratchFolder(), 'a.jsonl');
    writeFileSync(path, content);
    (await JsonLines.open(path, keep)).close();
    return readFileSync(path, 'utf8');
  }

  it('appends one line a record, to a new file', async () => {
    const path = join(scratchFolder(), 'a.jsonl');
    const log = await JsonLines.open(path);
    log.append({ step: 1 });
    log.append({ step: 2, text: 'a\nb é' });
    expect(readFileSync(path, 'utf8')).toBe('{"step":1}\n{"step":2,"text":"a\\nb é"}\n'); // there before the end
    log.close();
  });

  it('keeps the leading records asked for, whole, and appends after them', async () => {
    const path = join(scratchFolder(), 'a.jsonl');
    writeFileSync(path, '{"step":1,"a":"é"}\n{"step":2}\n{"step":3}\n{"step":1}\n');
    const log = await JsonLines.open(path, upTo(2));
    log.append({ step: 3, again: true });
    log.close();
    expect(readFileSync(path, 'utf8')).toBe('{"step":1,"a":"é"}\n{"step":2}\n{"step":3,"again":true}\n');
  });

  it.each([
    ['a last line without its end', '{"step":1}\n{"step":2}', '{"step":1}\n'],
    ['a line cut in the middle', '{"step":1}\n{"ste', '{"step":1}\n'],
    ['zeros, as a crash of the machine leaves them', '{"step":1}\n\0\0\0\0\n{"step":2}\n', '{"step":1}\n'],
    ['an empty line', '{"step":1}\n\n{"step":2}\n', '{"step":1}\n'],
    ['a record of something else', '{"step":1}\n5\n{"step":2}\n', '{"step":1}\n'],
    ['nothing', '', ''],
    ['only half a line', '{"st', ''],
    ['whole lines', '{"step":1}\n{"step":2}\n', '{"step":1}\n{"step":2}\n'],
  ])('drops %s and what follows', async (_, content, expected) => {
    expect(await kept(content, upTo(9))).toBe(expected);
  });

  it('drops everything unless told what to keep', async () => {
    expect(await kept('{"step":1}\n')).toBe('');
  });

  it('says why it cannot be opened', async () => {
    const path = join(scratchFolder(), 'none', 'a.jsonl');
    expect(await errorOf(() => JsonLines.open(path))).toBe(
      `environment: cannot write ${path}: no such file or directory`,
    );
  });

  it('brings its records to the disk while more are appended', async () => {
    const path = join(scratchFolder(), 'a.jsonl');
    const log = await JsonLines.open(path);
    log.append({ step: 1 });
    const synced = log.sync();
    log.append({ step: 2 });
    await synced;
    expect(readFileSync(path, 'utf8')).toBe('{"step":1}\n{"step":2}\n');
    log.close();
    expect(await errorOf(() => log.sync())).toBe(`environment: cannot write ${path}: bad file descriptor`);
  });

  // tmpfs gives out pages of 4 KiB: records of 3,000 bytes end inside a page, so that the last write is a short one.
  it.skipIf(!canMount).each([3000, 4096, 100])(
    'leaves whole lines on a full disk (records of %i bytes)',
    async (bytes) => {
      const folder = smallFileSystem(16);
      const path = join(folder, 'a.jsonl');
      writeFileSync(join(folder, 'filler'), Buffer.alloc(4096));
      const log = await JsonLines.open(path);
      const record = (step: number) => ({
        step,
        text: `é${'x'.repeat(bytes - Buffer.byteLength(`{"step":${step},"text":"é"}\n`))}`, // fewer characters than bytes
      });
      const lines = () => readFileSync(path, 'utf8').split('\n');
      let steps = 0;
      const error = await errorOf(() => {
        for (; ; steps++) log.append(record(steps));
      });
      expect(error).toBe(`environment: cannot write ${path}: no space left on device`);
      expect(steps).toBe(Math.floor((3 * 4096) / bytes));
      expect(lines().length).toBe(steps + 1);
      expect(lines().at(-1)).toBe('');
      expect(
        lines()
          .slice(0, -1)
          .map((line) => stepOf(JSON.parse(line))),
      ).toEqual(Array.from({ length: steps }, (_, i) => i));

      rmSync(join(folder, 'filler'));
      log.append({ step: 'after' });
      log.close();
      expect(lines().slice(-2)).toEqual(['{"step":"after"}', '']);
    },
  );
});

describe('stepOf', () => {
  it('is the number of a record, and NaN of anything else', () => {
    expect(stepOf({ step: 5 })).toBe(5);
    for (const record of [{ step: '5' }, {}, null, 5, 'step', undefined]) expect(stepOf(record)).toBeNaN();
  });
});

describe('countStepFaults', () => {
  function faults(steps: readonly number[], step: number) {
    const path = join(scratchFolder(), 'a.jsonl');
    writeFileSync(path, steps.map((at) => `{"step":${at}}\n`).join(''));
    return countStepFaults(path, step);
  }

  it('finds none in a whole log', async () => {
    expect(await faults([1, 2, 3], 3)).toEqual({ lostSteps: 0, repeatedSteps: 0 });
    expect(await faults([], 0)).toEqual({ lostSteps: 0, repeatedSteps: 0 });
  });

  it('counts steps that are missing and records that are too many', async () => {
    expect(await faults([1, 2, 2, 4], 5)).toEqual({ lostSteps: 2, repeatedSteps: 1 }); // 3 and 5; the second 2
    expect(await faults([2, 1, 1, 1], 2)).toEqual({ lostSteps: 0, repeatedSteps: 2 });
    expect(await faults([], 3)).toEqual({ lostSteps: 3, repeatedSteps: 0 });
  });
});

it('makes the paths of a run without touching the disk', () => {
  const path = join(scratchFolder(), 'none');
  expect(runFolderAt(path).samples).toBe(join(path, 'samples'));
  expect(existsSync(path)).toBe(false);
  mkdirSync(path);
});
