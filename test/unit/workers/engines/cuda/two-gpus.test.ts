// A replica on one GPU whose parameters and results lie on another, in the emulation, where a device reaches its own memory alone and streams do
// their work as late as they may.
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { UpdateDevice } from '../../../../../shared/device-memory.ts';
import { layoutOf, type Net, type Pass } from '../../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../../shared/model/phase-vector.ts';
import { dcgan28, imageSizeOf } from '../../../../../shared/model/spec.ts';
import { viewsOf } from '../../../../../shared/pixels.ts';
import { fillNormal } from '../../../../../shared/random.ts';
import { CudaEngine } from '../../../../../workers/engines/cuda/cuda-engine.ts';
import { type CudaRunner, cudaRunner } from '../../../../../workers/engines/cuda/cuda-runner.ts';
import { cudaDevice } from '../../../../../workers/engines/cuda/cuda-update.ts';
import { runnerOf } from '../../../../../workers/engines/kernels/runner-of.ts';
import { ProgramEngine } from '../../../../../workers/engines/program-engine.ts';
import { hasKernels, loadedBinding } from '../kernels/loaded.ts';
import { useEmulation } from './emulation.ts';

const SPEC = dcgan28(16);
const SETUP = { spec: SPEC, shardSize: 2, seed: 7, shards: 4, limit: 256 };
const NETS: readonly Net[] = ['generator', 'discriminator'];

useEmulation({ DEVICES: '8' });

/** Each lives as long as the tests, as its memory does. */
const devices: UpdateDevice[] = [];
function deviceOn(runner: CudaRunner): UpdateDevice {
  const device = cudaDevice(runner);
  devices.push(device);
  return device;
}

const hashOf = (values: Float32Array): string => createHash('sha256').update(values).digest('hex');

const lengthOf = (pass: Pass): number =>
  phaseVectorOf(pass === 'generator' ? 'generator' : 'discriminator', SPEC).length;
const parametersOf = (net: Net, part: number): Float32Array =>
  fillNormal({ seed: 5, stream: 'samples', time: 1, part }, new Float32Array(layoutOf(net, SPEC).parameterCount)).map(
    (value) => value * 0.1,
  );

describe.skipIf(!hasKernels)('a replica on another GPU', () => {
  let cpu: ProgramEngine;
  beforeAll(async () => {
    cpu = new ProgramEngine({ ...runnerOf(loadedBinding()), libraryVersion: '0' });
    await cpu.prepare(SETUP);
    return () => cpu.dispose();
  });

  it('is refused where copies between the two arrive changed', async () => {
    process.env.GANGLION_CUDA_GARBLE = '1';
    onTestFinished(() => {
      delete process.env.GANGLION_CUDA_GARBLE;
    });
    const engine = new CudaEngine(cudaRunner(1));
    await expect(engine.prepare({ ...SETUP, vectorsOn: 0 })).rejects.toThrow(
      'what is copied to GPU 0 comes back changed; --isolation process copies by the host',
    );
  });

  it.each([
    ['', 'directly'],
    ['cuCtxEnablePeerAccess:711', 'through the host, as the driver has it'],
  ])('copies parameters and results, with the bits of the CPU: %s', async (failure) => {
    process.env.GANGLION_CUDA_FAIL = failure;
    const home = deviceOn(cudaRunner(0));
    const runner = cudaRunner(1);
    const images = Uint8Array.from({ length: 20 * imageSizeOf(SPEC) }, (_, i) => (i * 13) % 251);
    const imagesAt = deviceOn(runner).hold(images);
    const engine = new CudaEngine(runner);
    await engine.prepare({ ...SETUP, vectorsOn: 0, imagesAt });
    process.env.GANGLION_CUDA_LATE = '1';
    const { copied } = runner.binding;
    const places = Object.fromEntries(NETS.map((net) => [net, home.allocate(layoutOf(net, SPEC).parameterCount)]));
    const vectors = (['real', 'fake', 'generator'] as const).map(
      (pass) => [pass, home.allocate(lengthOf(pass))] as const,
    );
    for (const step of [0, 1]) {
      for (const [part, net] of NETS.entries()) {
        const values = parametersOf(net, 10 * step + part);
        const place = places[net] ?? { address: 0, length: 0 };
        home.write(place, values);
        home.read([]); // as the coordinator, whose update has been done before a replica is asked
        engine.setParameters(net, step, place);
        cpu.setParameters(net, step, values);
      }
      const before = copied();
      const numbers = Uint32Array.of(19, 3 + step);
      const expected = [];
      const pending = vectors.map(([pass, into]) =>
        engine.beginPass(pass, step, [{ shard: 2, into, ...(pass === 'real' ? { images: numbers } : {}) }]),
      );
      for (const one of pending) expect(await one.finish()).toEqual([expect.objectContaining({ ok: true })]);
      for (const [pass] of vectors) {
        const into = new Float32Array(lengthOf(pass));
        const pixels = viewsOf(images, numbers, imageSizeOf(SPEC));
        await cpu.computePass(pass, step, [{ shard: 2, into, ...(pass === 'real' ? { pixels } : {}) }]);
        expected.push(into);
      }
      const after = copied();
      expect(after.toDevice - before.toDevice).toBeLessThan(1000);
      expect(after.toHost - before.toHost).toBeLessThan(100);
      expect(after.between - before.between).toBe(4 * expected.reduce((sum, { length }) => sum + length, 0));
      // What a replica has answered is there: nothing of its GPU is waited for here.
      expect(home.read(vectors.map(([, place]) => place)).map(hashOf)).toEqual(expected.map(hashOf));
    }
    delete process.env.GANGLION_CUDA_LATE;
    engine.dispose();
  });

  it('has its result changed where it lies, for the tests of a cluster', async () => {
    const home = deviceOn(cudaRunner(0));
    const engine = new CudaEngine(cudaRunner(1));
    await engine.prepare({ ...SETUP, vectorsOn: 0 });
    const place = home.allocate(3);
    home.write(place, Float32Array.of(1, 2, 3));
    home.read([]);
    engine.edit(place, (values) => values.reverse());
    expect(home.read([place])).toEqual([Float32Array.of(3, 2, 1)]);
    engine.dispose();
  });

  it('fails where the GPU with the results is lost, and where it does not answer', async () => {
    const failing = async (gpu: number, vectorsOn: number): Promise<() => Promise<unknown>> => {
      const engine = new CudaEngine(cudaRunner(gpu));
      const into = deviceOn(cudaRunner(vectorsOn)).allocate(lengthOf('fake'));
      await engine.prepare({ ...SETUP, vectorsOn });
      return () => engine.computePass('fake', 0, [{ shard: 0, into }]);
    };
    const [lost, stuck] = [await failing(2, 3), await failing(2, 4)];
    const [on3, on4] = [deviceOn(cudaRunner(3)), deviceOn(cudaRunner(4, 50))];
    process.env.GANGLION_CUDA_FAIL = 'cuStreamQuery:719:0:3';
    expect(() => on3.read([])).toThrow('719');
    process.env.GANGLION_CUDA_FAIL = 'cuStreamQuery:600:0:4';
    expect(() => on4.read([])).toThrow('has not answered');
    delete process.env.GANGLION_CUDA_FAIL;
    expect([on3.isStuck(), on4.isStuck()]).toEqual([false, true]);
    await expect(lost()).rejects.toThrow('memcpyPeer: CUDA_ERROR_LAUNCH_FAILED (719)');
    await expect(stuck()).rejects.toThrow('the GPU does not answer');
    deviceOn(cudaRunner(2)).read([]);
  });
});

describe('an emulated GPU reaches its own memory alone', () => {
  /** Memory of another GPU. */
  const elsewhere = () => deviceOn(cudaRunner(0)).allocate(1024);
  const open = (gpu: number) => {
    const runner: CudaRunner = cudaRunner(gpu);
    return { ...runner, device: deviceOn(runner), stream: runner.binding.createStream(runner.gpu) };
  };

  it('by plain copies', () => {
    const { binding, stream, device } = open(5);
    const [own, other] = [device.allocate(1024), elsewhere()];
    expect(() => binding.copy(stream, own.address, other.address, 16)).toThrow('INVALID_VALUE');
    expect(() => binding.copy(stream, other.address, own.address, 16)).toThrow('INVALID_VALUE');
    expect(() => binding.write(stream, other.address, new Float32Array(4))).toThrow('INVALID_VALUE');
    expect(() => binding.read(stream, other.address, new Float32Array(4))).toThrow('INVALID_VALUE');
    expect(() => binding.copy(stream, own.address, own.address + 4000, 100)).toThrow('INVALID_VALUE'); // its end is before
    binding.synchronise(stream);
  });

  it('by the arguments of a kernel', () => {
    const { device } = open(6);
    const own = device.allocate(1024);
    device.moveAverage(own, own, 0.5, 0.5);
    device.read([]);
    device.moveAverage(own, elsewhere(), 0.5, 0.5);
    expect(() => device.read([])).toThrow('CUDA_ERROR_ILLEGAL_ADDRESS (700)');
  });

  it.skipIf(!hasKernels)('by addresses that a kernel finds in memory', async () => {
    const engine = new CudaEngine(cudaRunner(7));
    await engine.prepare(SETUP);
    const into = deviceOn(cudaRunner(0)).allocate(lengthOf('fake'));
    await expect(engine.computePass('fake', 0, [{ shard: 0, into }])).rejects.toThrow('CUDA_ERROR_ILLEGAL_ADDRESS');
  });
});
