import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadBinding, setTensorflowEnvironment } from '../../../workers/native/binding.ts';

describe('setTensorflowEnvironment', () => {
  it('sets defaults', () => {
    const env: NodeJS.ProcessEnv = {};
    setTensorflowEnvironment(env);
    expect(env).toEqual({
      TF_NUM_INTRAOP_THREADS: '1',
      TF_ENABLE_ONEDNN_OPTS: '1',
      TF_NUM_INTEROP_THREADS: '8',
      TF_CPP_MIN_LOG_LEVEL: '3',
    });
  });

  it('pins intra-op threads, since the bits depend on them, and keeps the rest', () => {
    const env: NodeJS.ProcessEnv = {
      TF_NUM_INTRAOP_THREADS: '4',
      TF_NUM_INTEROP_THREADS: '2',
      TF_CPP_MIN_LOG_LEVEL: '0',
    };
    setTensorflowEnvironment(env);
    expect(env).toEqual({
      TF_NUM_INTRAOP_THREADS: '1',
      TF_ENABLE_ONEDNN_OPTS: '1',
      TF_NUM_INTEROP_THREADS: '2',
      TF_CPP_MIN_LOG_LEVEL: '0',
    });
  });
});

describe('loadBinding', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('says how to get a library that is missing', () => {
    vi.stubEnv('GANGLION_CACHE', join(tmpdir(), 'ganglion-absent'));
    expect(() => loadBinding()).toThrow(/^no native library in .*ganglion-absent.*; run: npm run setup$/);
  });
});
