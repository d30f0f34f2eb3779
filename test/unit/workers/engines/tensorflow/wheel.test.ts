import { describe, expect, it } from 'vitest';
import { toWheelTarget } from '../../../../../workers/engines/tensorflow/wheel.ts';

describe('toWheelTarget', () => {
  it('takes the two shared libraries by bare name', () => {
    expect(toWheelTarget('tensorflow/libtensorflow_cc.so.2')).toEqual({
      kind: 'library',
      path: 'libtensorflow_cc.so.2',
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

  it.each([
    'tensorflow/python/_pywrap_tensorflow_internal.so',
    'tensorflow/include/tensorflow/core/framework/op.h',
    'tensorflow/include/tensorflow/c/',
    'x/tensorflow/libtensorflow_cc.so.2',
  ])('leaves %s', (name) => {
    expect(toWheelTarget(name)).toBeUndefined();
  });
});
