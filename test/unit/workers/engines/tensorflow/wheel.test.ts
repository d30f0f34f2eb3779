import { describe, expect, it } from 'vitest';
import { CONTENTS, toWheelTarget } from '../../../../../workers/engines/tensorflow/wheel.ts';

describe('toWheelTarget', () => {
  it('takes the two shared libraries', () => {
    expect(toWheelTarget('tensorflow/libtensorflow_cc.so.2')).toEqual({
      kind: 'library',
      path: 'lib/libtensorflow_cc.so.2',
    });
    expect(toWheelTarget('tensorflow/libtensorflow_framework.so.2')?.kind).toBe('library');
  });

  it('takes the C headers by their path below include', () => {
    expect(toWheelTarget('tensorflow/include/tensorflow/c/c_api.h')).toEqual({
      kind: 'header',
      path: 'tensorflow/c/c_api.h',
    });
    expect(toWheelTarget('tensorflow/include/xla/tsl/c/tsl_status.h')?.kind).toBe('header');
  });

  it("takes CUDA's libraries into one folder, and its tools", () => {
    const paths = ['nvidia/cusolver/lib/libcusolver.so.11', 'nvidia/nvjitlink/lib/libnvJitLink.so.12'];
    expect(paths.map((path) => toWheelTarget(path)?.path)).toEqual([
      'nvidia/cublas/lib/libcusolver.so.11',
      'nvidia/cublas/lib/libnvJitLink.so.12',
    ]);
    expect(toWheelTarget('nvidia/cuda_nvcc/bin/ptxas')?.path).toBe('nvidia/cuda_nvcc/bin/ptxas');
  });

  it.each([
    'nvidia/cudnn/include/cudnn.h',
    'nvidia/cuda_nvcc/nvvm/lib64/libnvvm.so',
    'nvidia/../../lib/liba.so',
    'nvidia/cublas/lib/../libb.so',
    'tensorflow/python/_pywrap_tensorflow_internal.so',
    'tensorflow/include/tensorflow/core/framework/op.h',
    'tensorflow/include/tensorflow/c/',
    'x/tensorflow/libtensorflow_cc.so.2',
  ])('leaves %s', (name) => {
    expect(toWheelTarget(name)).toBeUndefined();
  });
});

it('every wheel has a name, a hash and a place of its own, and those for GPUs are 2.5 GB', () => {
  const { wheels } = CONTENTS.gpu;
  for (const key of ['label', 'requirement', 'fileName', 'sha256'] as const)
    expect(new Set(wheels.map((wheel) => wheel[key])).size).toBe(13);
  for (const { sha256, requirement, fileName } of wheels) {
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    const [name = '', version] = requirement.split('==');
    expect(fileName).toContain(`${name.replaceAll('-', '_')}-${version}-`);
  }
  expect(wheels.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(2_515_544_547);
});
