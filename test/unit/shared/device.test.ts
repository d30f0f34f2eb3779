import { describe, expect, it } from 'vitest';
import {
  areDevices,
  backendOf,
  deviceOf,
  needsProcess,
  parseDevices,
  seesGpu,
  showDevices,
  visibleAlone,
} from '../../../shared/device.ts';

describe('devices', () => {
  it('are read from their names, and shown as they are read', () => {
    const devices = parseDevices('cuda:0,cuda:12,cpu');
    expect(devices).toEqual([{ backend: 'cuda', gpu: 0 }, { backend: 'cuda', gpu: 12 }, { backend: 'cpu' }]);
    expect(showDevices(devices)).toBe('cuda:0,cuda:12,cpu');
    expect(parseDevices('wasm')).toEqual([{ backend: 'wasm' }]);
    expect(areDevices('cuda:0,wasm,cpu')).toBe(true);
  });

  it.each([
    '',
    'gpu',
    'cuda',
    'cuda:',
    'cuda:-1',
    'cuda:1000',
    'cpu:0',
    'cpu,',
    ',cpu',
    'cpu cuda:0',
    'js',
    'wasm:0',
    'cuda:0,webgpu',
    'tensorflow',
    'tensorflow:0,cpu',
    'cuda:0,tensorflow:1',
    'tensorflow:1000',
  ])('refuse %j', (text) => {
    expect(areDevices(text)).toBe(false);
  });

  it('are taken in turn, and give the run its backend', () => {
    const devices = parseDevices('cpu,cuda:1');
    expect([0, 1, 2, 5].map((id) => showDevices([deviceOf(devices, id)]))).toEqual(['cpu', 'cuda:1', 'cpu', 'cuda:1']);
    expect(backendOf(devices)).toBe('cuda');
    expect(backendOf(parseDevices('cpu'))).toBe('cpu');
  });
});

describe('GPUs of TensorFlow', () => {
  it('are named as others, and have a process each', () => {
    const devices = parseDevices('tensorflow:0,tensorflow:12');
    expect(areDevices(showDevices(devices))).toBe(true);
    expect(devices.map(needsProcess)).toEqual([true, true]);
    expect(parseDevices('cuda:0,cpu').map(needsProcess)).toEqual([false, false]);
    expect(needsProcess({ backend: 'tensorflow' })).toBe(false);
  });

  it.each([
    [undefined, 1, '1'],
    ['', 0, '0'],
    ['5, 6', 0, '5'],
    ['5, 6', 1, '6'],
    ['GPU-1a,MIG-2b', 1, 'MIG-2b'],
  ])('are seen alone: of %j number %i is %s', (visible, gpu, alone) => {
    expect(visibleAlone(gpu, visible === undefined ? {} : { CUDA_VISIBLE_DEVICES: visible })).toBe(alone);
  });
});

describe('seesGpu', () => {
  const driver = (path: string): boolean => path === '/dev/nvidiactl';

  it("looks for NVIDIA's driver", () => {
    expect(seesGpu(driver, {})).toBe(true);
    expect(seesGpu(() => false, {})).toBe(false);
    expect(seesGpu(() => false, { GANGLION_CUDA: 'emulated' })).toBe(true);
  });

  it.each(['', ' ', '-1'])('takes a CUDA_VISIBLE_DEVICES of %j as none', (CUDA_VISIBLE_DEVICES) => {
    expect(seesGpu(driver, { CUDA_VISIBLE_DEVICES })).toBe(false);
  });

  it('leaves other values of CUDA_VISIBLE_DEVICES to the driver', () => {
    expect(seesGpu(driver, { CUDA_VISIBLE_DEVICES: '1,0' })).toBe(true);
  });
});
