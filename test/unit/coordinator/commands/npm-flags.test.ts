import { describe, expect, it } from 'vitest';
import { restoreNpmFlags } from '../../../../coordinator/commands/npm-flags.ts';
import { errorOf } from '../../scratch.ts';

const OPTIONS = {
  scripts: ['train', 'train:distributed'],
  flags: [
    { flag: '--workers', takesValue: true },
    { flag: '--steps', takesValue: true },
    { flag: '--checkpoint-every', takesValue: true },
    { flag: '--audit', takesValue: true },
    { flag: '--dry-run', takesValue: false },
  ],
};

/** What a process started by `npm run train:distributed` gets back. */
function restored(argv: readonly string[], flags: Record<string, string>, script = 'train:distributed'): string[] {
  const names = Object.entries(flags).map(([name, value]) => [`npm_config_${name}`, value]);
  return restoreNpmFlags(argv, { npm_lifecycle_event: script, ...Object.fromEntries(names) }, OPTIONS);
}

describe('a misspelt flag that npm swallows', () => {
  it.each([
    ['wrokers', '--wrokers', '--workers'],
    ['worker', '--worker', '--workers'],
    ['checkpoint_evry', '--checkpoint-evry', '--checkpoint-every'],
  ])('refuses npm_config_%s', async (name, given, meant) => {
    const expected = `usage: unknown option '${given}' (Did you mean ${meant}?)`;
    expect(await errorOf(() => restored([], { [name]: '4' }))).toBe(expected);
  });

  it("leaves npm's own settings alone", () => {
    const own = {
      cache: '/c',
      prefix: '/p',
      userconfig: '/u',
      user_agent: 'npm',
      noproxy: '',
      node_gyp: '/g',
      workspaces: '',
    };
    expect(restored([], own)).toEqual([]);
  });
});

describe('restoreNpmFlags', () => {
  it.each([
    ['--workers 4', ['4'], { workers: 'true' }, ['--workers=4']],
    ['--workers=4', [], { workers: '4' }, ['--workers=4']],
    ['-- --workers 4', ['--workers', '4'], {}, ['--workers', '4']],
    ['-- --workers=4', ['--workers=4'], {}, ['--workers=4']],
    ['nothing', [], {}, []],
    ['--checkpoint-every=5', [], { checkpoint_every: '5' }, ['--checkpoint-every=5']],
    ['--checkpoint-every 5', ['5'], { checkpoint_every: 'true' }, ['--checkpoint-every=5']],
    ['--dry-run', [], { dry_run: 'true' }, ['--dry-run']],
    ['--no-dry-run', [], { dry_run: 'false' }, []],
    ['--dry-run --workers 4', ['4'], { dry_run: 'true', workers: 'true' }, ['--dry-run', '--workers=4']],
    ['--steps=60 --workers 4', ['4'], { steps: '60', workers: 'true' }, ['--steps=60', '--workers=4']],
    ['--steps=60 --workers=4', [], { steps: '60', workers: '4' }, ['--workers=4', '--steps=60']],
    ['--workers 4 -- --steps 60', ['4', '--steps', '60'], { workers: 'true' }, ['--workers=4', '--steps', '60']],
    ['--workers=4 -- --steps 60', ['--steps', '60'], { workers: '4' }, ['--workers=4', '--steps', '60']],
    ['--workers= 4, the value after a blank', ['4'], { workers: '' }, ['--workers=4']],
    ['--workers=2 --workers=4', [], { workers: '2\n\n4' }, ['--workers=2', '--workers=4']],
  ] as const)('npm run train:distributed %s', (_, argv, flags, expected) => {
    expect(restored(argv, flags)).toEqual(expected);
  });

  it.each(['', 'true', 'false'])("takes npm's own setting audit=%s for none of ours", (value) => {
    expect(restored(['4'], { audit: value, workers: 'true' })).toEqual(['--workers=4']);
    expect(restored(['--audit', '0.5'], { audit: value })).toEqual(['--audit', '0.5']);
  });

  it('lets a flag of argv win over npm', () => {
    expect(restored(['--workers', '4'], { workers: '2' })).toEqual(['--workers', '4']);
    expect(restored(['--workers=4'], { workers: 'true' })).toEqual(['--workers=4']);
    expect(restored(['--dry-run'], { dry_run: 'true' })).toEqual(['--dry-run']);
    // A longer flag with the same beginning is another flag.
    expect(restored(['--workers-x=4'], { workers: '2' })).toEqual(['--workers=2', '--workers-x=4']);
  });

  it.each([
    [
      'two values that cannot be told apart',
      ['4', '60'],
      { workers: 'true', steps: 'true' },
      'got values 4, 60 for --workers, --steps; write: npm run train:distributed -- --workers VALUE --steps VALUE',
    ],
    [
      'a value too few',
      ['4'],
      { workers: 'true', steps: 'true' },
      'got values 4 for --workers, --steps; write: npm run train:distributed -- --workers VALUE --steps VALUE',
    ],
    [
      'no value',
      [],
      { workers: 'true' },
      'got no value for --workers; write: npm run train:distributed -- --workers VALUE',
    ],
    [
      'a value too many, beside flags that are whole',
      ['4', '5'],
      { workers: 'true', steps: '60', dry_run: 'true' },
      'got values 4, 5 for --workers; write: npm run train:distributed -- --workers VALUE --steps 60 --dry-run',
    ],
    ['a value of no flag', ['4'], {}, 'got values 4 for no flag; write: npm run train:distributed -- --FLAG VALUE'],
    [
      'a value of no flag beside a whole one',
      ['4'],
      { steps: '60' },
      'got values 4 for no flag; write: npm run train:distributed -- --steps 60',
    ],
    [
      'one flag twice',
      ['4', '2'],
      { workers: 'true\n\ntrue' },
      'got values 4, 2 for --workers, --workers; write: npm run train:distributed -- --workers VALUE --workers VALUE',
    ],
  ] as const)('refuses %s, and spells it right', async (_, argv, flags, message) => {
    expect(await errorOf(() => restored(argv, flags))).toBe(
      `usage: npm has parted flags from their values: ${message}`,
    );
  });

  it('names the script that was run', async () => {
    expect(await errorOf(() => restored([], { workers: 'true' }, 'train'))).toMatch(
      /write: npm run train -- --workers/,
    );
  });

  it("does nothing outside its scripts: npm's environment reaches grandchildren too", () => {
    expect(restored(['4'], { workers: 'true' }, 'sample')).toEqual(['4']);
    expect(restoreNpmFlags(['x', '--y'], { npm_config_workers: '4' }, OPTIONS)).toEqual(['x', '--y']);
  });
});

it('a flag that may stand alone keeps its value, and a command that takes words its words', () => {
  const flags = [{ flag: '--invert', takesValue: 'optional' as const }];
  const restoredBy = (argv: string[], invert: string | undefined, takesWords: boolean) =>
    restoreNpmFlags(
      argv,
      { npm_lifecycle_event: 'data', ...(invert === undefined ? {} : { npm_config_invert: invert }) },
      {
        scripts: ['data'],
        flags,
        takesWords,
      },
    );
  expect(restoredBy([], 'true', false)).toEqual(['--invert']);
  expect(restoredBy([], 'off', false)).toEqual(['--invert=off']);
  expect(restoredBy([], '', false)).toEqual([]);
  expect(restoredBy(['faces'], 'true', true)).toEqual(['faces', '--invert']);
  expect(restoredBy(['faces', '--json'], undefined, true)).toEqual(['faces', '--json']);
  expect(() => restoredBy(['faces'], undefined, false)).toThrow('npm has parted flags');
});
