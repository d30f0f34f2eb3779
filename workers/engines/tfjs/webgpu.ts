// The backend of tfjs on a GPU by WebGPU, which Node.js has from the optional package `webgpu` (Dawn).
import * as tf from '@tensorflow/tfjs-core';
import { GanglionError, messageOf } from '../../../shared/error.ts';

/** What is needed of an adapter of WebGPU. */
interface Adapter {
  readonly info: Readonly<Record<'vendor' | 'architecture' | 'device' | 'description', string>>;
}

/** What is needed of the package `webgpu`. */
interface Dawn {
  create(options: string[]): {
    requestAdapter(options: { powerPreference: 'high-performance' }): Promise<Adapter | null>;
  };
  readonly globals: object;
}

/**
 * Flags that keep the bits the same in every run: a product whose inner sum is split adds its parts by atomics, in any order; and small
 * operations run on the CPU as long as none of their inputs has been on the GPU, as in the first run alone.
 */
const FLAGS = { WEBGPU_MATMUL_PROGRAM_TYPE: 3, WEBGPU_CPU_FORWARD: false };

async function loadDawn(): Promise<Dawn> {
  try {
    return await import('webgpu');
  } catch (error) {
    const message = `the backend webgpu needs the npm package webgpu, which does not load: ${messageOf(error)}`;
    throw new GanglionError('environment', message, { cause: error });
  }
}

function nameOf({ info }: Adapter): string {
  const { vendor, architecture, device, description } = info;
  const name = device || architecture || vendor || 'unnamed';
  return description && description !== name ? `${name} (${description})` : name;
}

/**
 * Makes WebGPU the backend of tfjs in this thread.
 *
 * @returns the adapter's name
 * @throws GanglionError `environment` when the package, a driver or a GPU is missing
 */
export async function loadWebgpu(): Promise<string> {
  const { create, globals } = await loadDawn();
  const gpu = create([]);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) {
    const message = 'the backend webgpu finds no GPU: expected one with a driver for Vulkan, Metal or Direct3D 12';
    throw new GanglionError('environment', message);
  }
  // As a page would find it: tfjs looks nowhere else, and already when it is loaded. Node.js has a navigator from version 21 on.
  Object.assign(globalThis, globals);
  const scope = globalThis as { navigator?: object };
  scope.navigator ??= {};
  Object.defineProperty(scope.navigator, 'gpu', { value: gpu, configurable: true });
  await import('@tensorflow/tfjs-backend-webgpu');
  for (const [name, value] of Object.entries(FLAGS)) tf.env().set(name, value);
  // tfjs takes another backend, without a word, where it fails.
  const isSet = await tf.setBackend('webgpu');
  if (!isSet || tf.getBackend() !== 'webgpu') {
    throw new GanglionError('environment', `the backend webgpu does not start on ${nameOf(adapter)}`);
  }
  return nameOf(adapter);
}
