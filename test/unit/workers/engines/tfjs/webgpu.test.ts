// workers/engines/tfjs/webgpu.ts where it cannot run: each time one clear error, and never another backend in its place. That it computes:
// test/unit/workers/engines/portable-passes.test.ts.
import { afterEach, expect, it, vi } from 'vitest';
import { createEngine } from '../../../../../workers/engines/engines.ts';

afterEach(() => {
  vi.doUnmock('webgpu');
  vi.resetModules();
});

/** The package `webgpu` with an adapter, or without. */
function mockAdapter(adapter: object | null): void {
  vi.doMock('webgpu', () => ({ create: () => ({ requestAdapter: async () => adapter }), globals: {} }));
}

it('says that the optional package does not load', async () => {
  vi.doMock('webgpu', () => {
    throw new Error('no dawn.node for this platform');
  });
  const message = expect.stringMatching(
    /^the backend webgpu needs the npm package webgpu, which does not load: [^\n]+$/,
  );
  await expect(createEngine('webgpu')).rejects.toMatchObject({ code: 'environment', message });
});

it('says that there is no GPU', async () => {
  mockAdapter(null);
  const message = 'the backend webgpu finds no GPU: expected one with a driver for Vulkan, Metal or Direct3D 12';
  await expect(createEngine('webgpu')).rejects.toMatchObject({ code: 'environment', message });
});

it('names a GPU that does not start', async () => {
  mockAdapter({
    info: { vendor: 'acme', architecture: '', device: 'Rocket 1', description: 'driver 0.1' },
    features: new Set(),
    limits: {},
    requestDevice: async () => {
      throw new Error('lost');
    },
  });
  const message = 'the backend webgpu does not start on Rocket 1 (driver 0.1)';
  await expect(createEngine('webgpu')).rejects.toMatchObject({ code: 'environment', message });
});
