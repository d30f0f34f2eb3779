// The CUDA kernels by NVRTC of CUDA 12.9, without a GPU: they compile for every kind of GPU, and the PTX has only operations whose rounding
// is written down.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { CAPABILITIES, locateCuda } from '../../workers/engines/cuda/library.ts';
import { fetchNvrtc, hasNvrtc, runNvrtc } from '../../workers/engines/cuda/nvrtc.ts';
import { installCudaHost } from '../../workers/setup/install-cuda.ts';

const location = locateCuda({ ...process.env, GANGLION_CUDA: '' });
const folder = mkdtempSync(join(tmpdir(), 'ganglion-nvrtc-'));
const { signal } = new AbortController();
const progress = { line() {}, transfer: () => ({ update() {}, stop() {} }) };

function compile(
  output: string,
  architecture: string,
  flags?: readonly string[],
): Promise<{ exitCode: number | null; output: string }> {
  return runNvrtc(location, join(folder, output), architecture, signal, flags);
}

beforeAll(async () => {
  await installCudaHost(location, { progress, signal, again: true });
  if (!hasNvrtc(location)) await fetchIt();
  vi.stubEnv('PATH', ''); // no C++ compiler is needed from here on
});

async function fetchIt(): Promise<void> {
  const staging = mkdtempSync(join(location.cacheFolder, 'staging-'));
  mkdirSync(staging, { recursive: true });
  await fetchNvrtc(location, staging, progress, signal).finally(() =>
    rmSync(staging, { recursive: true, force: true }),
  );
}
afterAll(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('compiles for compute capability 7.0 to 12.0', async () => {
  const left = [...CAPABILITIES];
  const worker = async (): Promise<void> => {
    for (let capability = left.shift(); capability !== undefined; capability = left.shift()) {
      const name = `${capability}.cubin`;
      expect(await compile(name, `sm_${capability}`)).toMatchObject({ exitCode: 0 });
      expect(statSync(join(folder, name)).size).toBeGreaterThan(100_000);
    }
  };
  await Promise.all([worker(), worker()]);
});

it('has in its PTX no contraction, whatever the flag, no flushing, no approximation and no float atomics', async () => {
  const flags = ['-std=c++17', '-fmad=true', '-ftz=false'];
  const results = await Promise.all([compile('plain.ptx', 'compute_70'), compile('fused.ptx', 'compute_70', flags)]);
  for (const result of results) expect(result).toMatchObject({ exitCode: 0 });
  const [plain, fused] = ['plain.ptx', 'fused.ptx'].map((name) => readFileSync(join(folder, name), 'utf8'));
  const operations = (ptx = ''): string[] =>
    ptx.match(/^\s+(@%?!?p\d+ )?[a-z][\w.]*\.(f32|f64)\b/gm)?.map((line) => line.trim()) ?? [];
  expect(operations(plain).length).toBeGreaterThan(1000);
  for (const text of operations(plain)) {
    expect(text).not.toMatch(/\.ftz|\.approx|^(atom|red)\..*f32|^(add|sub|mul|div|mad|fma|sqrt)\.f/);
  }
  expect(operations(plain).filter((text) => text.startsWith('fma.rn.f64'))).toEqual([]);
  // Nothing fuses what the kernels compute apart: as many of each operation with the flags that ask for it.
  const count = (ptx: string | undefined, operation: string): number =>
    operations(ptx).filter((text) => text.startsWith(operation)).length;
  for (const operation of ['fma.rn', 'mul.rn', 'add.rn']) expect(count(fused, operation)).toBe(count(plain, operation));
});
