// Copies of vectors of a device that arrive on the host while the device goes on: a copy within the device, which is quick, then one to pinned
// memory, in a stream of its own.
import type { DeviceCopies, DevicePlace } from '../../../shared/device-memory.ts';
import type { Address, NativeStream } from './binding.ts';
import type { CudaRunner } from './cuda-runner.ts';

const FLOAT = Float32Array.BYTES_PER_ELEMENT;

/**
 * @param stream of what changes the vectors
 * @param allocateBytes memory of the device that is kept
 */
export function cudaCopies(
  { binding, gpu }: Pick<CudaRunner, 'binding' | 'gpu'>,
  stream: NativeStream,
  places: readonly DevicePlace[],
  allocateBytes: (bytes: number) => Address,
): DeviceCopies {
  const own = binding.createStream(gpu);
  const total = places.reduce((sum, { length }) => sum + length, 0);
  const between = allocateBytes(total * FLOAT);
  const host = (): Float32Array => new Float32Array(binding.allocateHost(gpu, total * FLOAT));
  /** The newest copy that has arrived, and where the next one goes. */
  let [newest, next] = [host(), host()];
  return {
    begin() {
      binding.follow(stream, own); // a copy that was begun and never taken may still leave the memory between
      let at = between;
      for (const { address, length } of places) {
        binding.copy(stream, at, address, length * FLOAT);
        at += length * FLOAT;
      }
      binding.follow(own, stream);
      binding.read(own, between, next);
    },
    take(waits) {
      if (waits) binding.synchronise(own);
      else if (!binding.isDone(own)) return undefined;
      [newest, next] = [next, newest];
      let at = 0;
      return places.map(({ length }) => {
        const view = newest.subarray(at, at + length);
        at += length;
        return view;
      });
    },
  };
}
