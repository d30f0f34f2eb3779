import { readFileSync, truncateSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { loadKernels, readKernelsSetting } from '../../../../../workers/engines/kernels/binding.ts';
import { locateKernels } from '../../../../../workers/engines/kernels/library.ts';
import type { Isa } from '../../../../../workers/engines/kernels/plan-binding.ts';
import { scratchFolder } from '../../../scratch.ts';

/** What Linux says of the processor. */
function isaOfProcessor(): Isa {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' '));
  const has = (...names: string[]) => names.every((name) => flags.has(name));
  if (!has('avx2', 'fma')) return 'none';
  return has('avx512f', 'avx512dq', 'avx512bw', 'avx512vl') ? 'avx512' : 'avx2';
}

const isa = isaOfProcessor();

describe('readKernelsSetting', () => {
  it('takes on, off and avx2; an empty variable or none is on', () => {
    expect(readKernelsSetting({})).toBe('on');
    for (const [given, expected] of [
      ['', 'on'],
      ['on', 'on'],
      ['off', 'off'],
      ['avx2', 'avx2'],
    ] as const)
      expect(readKernelsSetting({ GANGLION_KERNELS: given })).toBe(expected);
  });

  it.each(['OFF', 'avx512', '0', ' '])('refuses %j', (given) => {
    expect(() => readKernelsSetting({ GANGLION_KERNELS: given })).toThrow(
      expect.objectContaining({
        code: 'usage',
        message: `GANGLION_KERNELS: expected on, off, avx2, exact, got ${JSON.stringify(given)}`,
      }),
    );
  });
});

describe('loadKernels', () => {
  it('gives none where they are not built, or switched off', () => {
    expect(loadKernels({ GANGLION_CACHE: scratchFolder() })).toBeUndefined();
    expect(loadKernels({ ...process.env, GANGLION_KERNELS: 'off' })).toBeUndefined();
    expect(() => loadKernels({ ...process.env, GANGLION_KERNELS: 'fast' })).toThrow('GANGLION_KERNELS');
  });

  it('says in one line that they are damaged', async () => {
    const env = { GANGLION_CACHE: scratchFolder() };
    const { kernelsFolder, addonPath } = locateKernels(env);
    await cp(locateKernels().kernelsFolder, kernelsFolder, { recursive: true, preserveTimestamps: true });
    truncateSync(addonPath, 10);
    expect(() => loadKernels(env)).toThrow(
      expect.objectContaining({
        code: 'environment',
        message: expect.stringMatching(`^${kernelsFolder} [^\n]*ganglion_kernels.node[^\n]*; run: npm run setup$`),
      }),
    );
  });

  it.skipIf(isa === 'none')('gives those of the processor, which pass their test', () => {
    const kernels = loadKernels({ ...process.env, GANGLION_KERNELS: 'on' });
    expect(kernels?.binding.isa).toBe(isa);
    expect(kernels?.binding.selfTest()).toBe(true);
  });

  it.skipIf(isa === 'none')('gives those of AVX2 when told to, for the whole process', () => {
    expect(loadKernels({ ...process.env, GANGLION_KERNELS: 'avx2' })?.binding.isa).toBe('avx2');
    expect(loadKernels({ ...process.env, GANGLION_KERNELS: 'on' })?.binding.isa).toBe('avx2');
    expect(() => loadKernels({ ...process.env, GANGLION_KERNELS: 'on' })?.binding.limitIsa('avx' as 'avx2')).toThrow(
      "limitIsa: expected 'avx2'",
    );
  });
});
