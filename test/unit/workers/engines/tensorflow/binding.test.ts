import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadBinding, setTensorflowEnvironment } from '../../../../../workers/engines/tensorflow/binding.ts';

describe('setTensorflowEnvironment', () => {
  const pinned = {
    TF_NUM_INTRAOP_THREADS: '1',
    TF_ENABLE_ONEDNN_OPTS: '1',
    TF_NUM_INTEROP_THREADS: '-1',
    TF_DETERMINISTIC_OPS: '1',
    NVIDIA_TF32_OVERRIDE: '0',
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
  };

  it('sets what the bits and the speed depend on', () => {
    const env: NodeJS.ProcessEnv = {};
    setTensorflowEnvironment(env);
    expect(env).toEqual({ ...pinned, TF_CPP_MIN_LOG_LEVEL: '3' });
  });

  it("leaves the threads of replicas to V8's profiler", () => {
    const env: NodeJS.ProcessEnv = {};
    setTensorflowEnvironment(env, ['--cpu-prof', '--cpu-prof-dir=x']);
    expect(env.TF_NUM_INTEROP_THREADS).toBe('8');
  });

  it('overrides and removes what would change the bits, and keeps the rest', () => {
    const env: NodeJS.ProcessEnv = {
      TF_NUM_INTRAOP_THREADS: '4',
      TF_NUM_INTEROP_THREADS: '2',
      TF_ENABLE_ONEDNN_OPTS: '0',
      TF_DETERMINISTIC_OPS: '0',
      NVIDIA_TF32_OVERRIDE: '1',
      TF_XLA_FLAGS: '--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit',
      ONEDNN_MAX_CPU_ISA: 'AVX2',
      ONEDNN_DEFAULT_FPMATH_MODE: 'BF16',
      TF_CPP_MIN_LOG_LEVEL: '0',
      HOME: '/home/me',
    };
    setTensorflowEnvironment(env);
    expect(env).toEqual({ ...pinned, TF_NUM_INTEROP_THREADS: '2', TF_CPP_MIN_LOG_LEVEL: '0', HOME: '/home/me' });
  });
});

describe('loadBinding', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('says how to get a library that is missing', () => {
    vi.stubEnv('GANGLION_CACHE', join(tmpdir(), 'ganglion-absent'));
    expect(() => loadBinding()).toThrow(
      /^TensorFlow does not load: .*ganglion-absent.* is not there; run: npm run setup -- --tensorflow$/,
    );
  });
});
