import { describe, expect, it } from 'vitest';
import type { NativeBinding } from '../../../../../workers/engines/tensorflow/binding.ts';
import { measureConvolution } from '../../../../../workers/engines/tensorflow/convolution.ts';

/** A binding whose Conv2D always answers `values`, and which counts the tensors alive. */
function stubBinding(values: number[]) {
  const alive = new Set<number>();
  let nextId = 0;
  const create = () => {
    alive.add(nextId);
    return nextId++;
  };
  const stub = {
    createTensor: create,
    deleteTensor: (id: number) => alive.delete(id),
    tensorDataSync: () => Float32Array.from(values),
    executeOp: () => [{ id: create(), shape: [], dtype: 1 }],
  };
  return { binding: stub as unknown as NativeBinding, alive };
}

describe('measureConvolution', () => {
  it('accepts the number of inputs under the kernel, and leaves no tensor', () => {
    const { binding, alive } = stubBinding([8, 12, 12, 8, 12, 18, 18, 12, 12, 18, 18, 12, 8, 12, 12, 8]);
    const report = measureConvolution(binding);
    expect(report.ok).toBe(true);
    // 2 * 32 * 28 * 28 * 64 * 5 * 5 * 64 = 5.138 GFLOP
    expect((report.gflops * report.milliseconds) / 1e3).toBeCloseTo(5.138, 3);
    expect(alive.size).toBe(0);
  });

  it.each([[[]], [Array(16).fill(18)], [Array(17).fill(8)]])('rejects %o', (values) => {
    expect(measureConvolution(stubBinding(values).binding).ok).toBe(false);
  });
});
