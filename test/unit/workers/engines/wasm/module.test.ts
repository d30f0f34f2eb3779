// The kernels in WebAssembly as a module: where it is refused, and where its memory ends. That it computes: ../kernels/arithmetic.test.ts.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { loadRunner } from '../../../../../workers/engines/engines.ts';
import { WasmBinding } from '../../../../../workers/engines/wasm/binding.ts';
import { loadWasm } from '../../../../../workers/engines/wasm/module.ts';

it('says what it is', async () => {
  expect(await loadRunner('wasm')).toMatchObject({
    name: 'kernels-wasm',
    arithmetic: 2,
    libraryVersion: expect.stringMatching(/^[0-9a-f]{12}$/),
  });
});

it('is refused where a multiply-add is rounded twice, but for the exact one', () => {
  const file = fileURLToPath(new URL('../../../../../dist/workers/engines/wasm/module.js', import.meta.url));
  const program = `
    import { loadWasm } from '${file}';
    const a = 1 + 2 ** -12;
    for (const variant of ['fused', 'exact']) {
      try {
        console.log(loadWasm(variant).exports.multiplyAdd(a, a, -(1 + 2 ** -11)) * 2 ** 24);
      } catch ({ code, message }) {
        console.log(code + ': ' + message);
      }
    }`;
  // V8 as on a processor without the instruction
  const args = ['--no-enable-fma3', '--input-type=module', '-e', program];
  expect(execFileSync(process.execPath, args, { encoding: 'utf8' }).split('\n')).toEqual([
    'environment: WebAssembly on this machine rounds a multiply-add twice, and would give other bits: GANGLION_KERNELS=exact has the same bits, some 24 times slower',
    '1',
    '',
  ]);
});

it('says so when there is no memory left', () => {
  const binding = new WasmBinding(loadWasm('fused').exports);
  const half = () => binding.fillNormal(0, 0, 0, 0, 0, { length: 2 ** 29 + 2 ** 28 } as unknown as Float32Array); // 3 GiB
  const message = expect.stringMatching(
    /^WebAssembly has no memory left \(\d\.\d GiB\): expected fewer images at a time/,
  );
  expect(half).toThrow(expect.objectContaining({ code: 'environment', message }));
});

it('gives memory back with a frame', () => {
  const { exports } = loadWasm('fused');
  const binding = new WasmBinding(exports);
  const plan = binding.createPlan({
    steps: [{ kernel: 'tanh', buffers: Int32Array.of(0, 1), sizes: Int32Array.of(4), value: 0 }],
    ...{ offsets: Int32Array.of(-1, -2), lengths: Int32Array.of(4, 4), inputs: 1, floats: 2 ** 20 },
  });
  if (!plan) throw new Error('there is no tanh');
  const use = () => {
    const frame = binding.createFrame(plan);
    const out = new Float32Array(4);
    binding.run(frame, 0, 1, [new Float32Array(4), out]);
    expect(() => binding.run(frame, 0, 1, [new Float32Array(3), out])).toThrow('array 0 expected 4 values, got 3');
    binding.releaseFrame(frame);
    binding.releaseFrame(frame);
    expect(() => binding.run(frame, 0, 1, [new Float32Array(4), out])).toThrow('expected a plan, a frame or an array');
  };
  use();
  const { byteLength } = exports.memory.buffer;
  for (let i = 0; i < 20; i++) use();
  expect(exports.memory.buffer.byteLength).toBe(byteLength);
});
