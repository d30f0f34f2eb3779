import { readdirSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import packageJson from '../../../../../package.json' with { type: 'json' };
import {
  COMPILER_FLAGS,
  locateKernels,
  readSources,
  toKernelsKey,
} from '../../../../../workers/engines/kernels/library.ts';

const SOURCES = resolve('workers/engines/kernels');

describe('readSources', () => {
  it('reads every C++ file beside this module, by name, and the package has them', () => {
    const names = readSources().map(({ name }) => name);
    expect(names).toContain('addon.cc');
    expect(names).toEqual(
      readdirSync(SOURCES)
        .filter((name) => !name.endsWith('.ts'))
        .sort(),
    );
    expect(packageJson.files).toEqual(
      expect.arrayContaining(['workers/engines/kernels/*.cc', 'workers/engines/kernels/*.h']),
    );
  });
});

describe('toKernelsKey', () => {
  const sources = [
    { name: 'a.cc', content: Buffer.from('one') },
    { name: 'b.h', content: Buffer.from('two') },
  ];

  it('is 12 hexadecimal digits, and changes with every byte, name and flag', () => {
    const keys = [
      toKernelsKey(sources),
      toKernelsKey(sources, [...COMPILER_FLAGS, '-g']),
      toKernelsKey(sources, COMPILER_FLAGS.slice(1)),
      toKernelsKey(sources.slice(0, 1)),
      ...[
        ['a.cc', 'onf', 'b.h', 'two'],
        ['a.cc', 'one', 'b.h', 'twp'],
        ['a.cc', 'onet', 'b.h', 'wo'],
        ['a.cc', 'one', 'c.h', 'two'],
      ].map(([first = '', one = '', second = '', two = '']) =>
        toKernelsKey([
          { name: first, content: Buffer.from(one) },
          { name: second, content: Buffer.from(two) },
        ]),
      ),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{12}$/);
    expect(toKernelsKey(sources)).toBe(keys[0]);
  });
});

describe('locateKernels', () => {
  it('names a folder in the cache by key and platform, and the files to compile', () => {
    const { cacheFolder, kernelsFolder, addonPath, units } = locateKernels({ GANGLION_CACHE: '/a' });
    expect(cacheFolder).toBe('/a');
    expect(kernelsFolder).toBe(`/a/kernels-${toKernelsKey(readSources())}-${process.platform}-${process.arch}`);
    expect(addonPath).toBe(`${kernelsFolder}/ganglion_kernels.node`);
    expect(units.map((path) => dirname(path))).toEqual(units.map(() => SOURCES));
    const sets = process.arch === 'arm64' ? ['neon.cc'] : ['avx2.cc', 'avx512.cc'];
    expect(units.map((path) => basename(path))).toEqual(['addon.cc', ...sets]);
    expect(readSources().map(({ name }) => name)).toEqual(expect.arrayContaining(['addon.cc', ...sets]));
  });
});
