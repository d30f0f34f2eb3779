// 60 steps at 32 and 64 pixels in colour end in one hash, whatever computes: 1 to 4 workers, threads and processes, the kernels of the
// processor and WebAssembly, also when killed and resumed. The hash is that of the release: another one is another arithmetic.
import { expect, it } from 'vitest';
import { scratchFolder, startGanglion, succeed, summaryOf } from '../integration/ganglion.ts';
import { compileKiller } from '../integration/killed-run.ts';

const scratch = scratchFolder('sizes');
const GOLDEN = {
  32: 'd20761f3a2570ba88607e5e779dbd8a2474e95c64dd4203b2721d38027362737',
  64: 'cb8bfd23190cd7dccfe6fc11f69ac048042c4d7d253e91dc2ae85e7965b4a2e1',
} as const;
const TRAIN = [
  ...['train', '--channels', '3', '--width', '0.25', '--batch', '16', '--shards', '4', '--latent', '16', '--seed', '7'],
  ...['--steps', '60', '--checkpoint-every', '30', '--metrics-port', 'off'],
];

it.each([32, 64] as const)('at %s pixels', async (size) => {
  const command = (name: string): string[] => [
    ...TRAIN,
    ...['--image-size', String(size), '--run', scratch(`${size}-${name}`)],
  ];
  const hashOf = (name: string): unknown => summaryOf(scratch(`${size}-${name}`)).stateSha256;
  for (const [name, flags] of Object.entries({
    one: ['--workers', '1'],
    four: ['--workers', '4'],
    wasm: ['--workers', '2', '--backend', 'wasm'],
  })) {
    await succeed([...command(name), ...flags]);
    expect(hashOf(name), name).toBe(GOLDEN[size]);
  }
  const library = scratch('kill-at.so');
  compileKiller(library);
  const env = { LD_PRELOAD: library, KILL_CALL: 'rename', KILL_PATH: 'step-00000030.safetensors', KILL_WHEN: 'after' };
  const killed = [...command('killed'), '--isolation', 'process', '--workers', '2'];
  expect((await startGanglion(killed, { env }).ended).signal).toBe('SIGKILL');
  await succeed(['train', '--resume', scratch(`${size}-killed`), '--workers', '1']);
  expect(hashOf('killed')).toBe(GOLDEN[size]);
});
