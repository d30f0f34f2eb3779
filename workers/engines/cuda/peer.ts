// Another GPU, which parameters come from and results go to.
import type { CudaBinding, NativeGpu, NativeStream } from './binding.ts';

/** Numbers that are sent there and back: more than any bus carries at once. */
const TRIED = 1 << 16;

/**
 * Opens another GPU to copy from it and to it, and tries that: on some machines the driver says that two GPUs reach each other, and what
 * arrives is changed, as by an IOMMU (NVIDIA, NCCL's troubleshooting, "PCI Access Control Services").
 *
 * @param ordinal its number
 * @param stream of the GPU that copies
 * @throws Error that names the driver's function, or says that other bits come back
 */
export function openPeer(binding: CudaBinding, gpu: NativeGpu, ordinal: number, stream: NativeStream): NativeGpu {
  const peer = binding.openPeer(gpu, ordinal);
  const sent = Float32Array.from({ length: TRIED }, (_, i) => i + 1);
  const got = new Float32Array(TRIED);
  const [own, other] = [binding.allocate(gpu, sent.byteLength), binding.allocate(peer, sent.byteLength)];
  const [here, there] = [binding.addressOf(own), binding.addressOf(other)];
  binding.write(stream, here, sent);
  binding.copyBetween(stream, there, peer, here, gpu, sent.byteLength);
  binding.write(stream, here, got);
  binding.copyBetween(stream, here, gpu, there, peer, sent.byteLength);
  binding.synchronise(stream);
  binding.read(stream, here, got);
  for (const memory of [own, other]) binding.release(memory);
  if (got.some((value, i) => value !== sent[i])) {
    throw new Error(`what is copied to GPU ${ordinal} comes back changed; --isolation process copies by the host`);
  }
  return peer;
}
