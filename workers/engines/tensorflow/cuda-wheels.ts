// CUDA's libraries for TensorFlow on GPUs, as Python wheels: those that `tensorflow[and-cuda]` names, each in the oldest version that it takes,
// which TensorFlow was built and tested with (CUDA 12.5, cuDNN 9.3).

import type { Wheel } from '../../build/pip-wheel.ts';

const PLATFORM = 'manylinux2014_x86_64';

/** A package, its version, the bytes and the SHA-256 of its wheel. */
type Row = readonly [name: string, version: string, bytes: number, sha256: string];

const ROWS: readonly Row[] = [
  ['nvidia-cublas-cu12', '12.5.3.2', 363_313_169, 'ca070ad70e9fa6654084575d01bd001f30cc4665e33d4bb9fc8e0f321caa034b'],
  ['nvidia-cuda-cupti-cu12', '12.5.82', 13_811_507, 'bde77a5feb66752ec61db2adfe47f56b941842825b4c7e2068aff27c9d107953'],
  ['nvidia-cuda-nvcc-cu12', '12.5.82', 22_468_537, 'b03e545b8e8c3ce7ebcd7fc44063180ff52ff01d064ece2127ed90a04ef12cd0'],
  ['nvidia-cuda-nvrtc-cu12', '12.5.82', 24_873_108, '3dbd97b0104b4bfbc3c4f8c79cd2496307c89c43c29a9f83125f1d76296ff3fd'],
  ['nvidia-cuda-runtime-cu12', '12.5.82', 895_707, '3e79a060e126df40fd3a068f3f787eb000fa51b251ec6cd97d09579632687115'],
  ['nvidia-cudnn-cu12', '9.3.0.75', 577_163_502, '9ad9c6929ebb5295eb4a1728024666d1c88283373e265a0c5c883e6f9d5cd76d'],
  ['nvidia-cufft-cu12', '11.2.3.61', 192_524_114, '9a6e8df162585750f61983a638104a48c756aa13f9f48e19ab079b38e3c828b8'],
  ['nvidia-curand-cu12', '10.3.6.82', 56_309_107, '2823fb27de4e44dbb22394a6adf53aa6e1b013aca0f8c22867d1cfae58405536'],
  [
    'nvidia-cusolver-cu12',
    '11.6.3.83',
    130_341_232,
    '93cfafacde4428b71778eeb092ec615a02a3d05404da1bcf91c53e3fa1bce42b',
  ],
  ['nvidia-cusparse-cu12', '12.5.1.3', 217_558_979, '016df8e993c437e8301e62739f01775cba988fd5253cd4c64173f8e8d2f8e752'],
  ['nvidia-nccl-cu12', '2.27.7', 322_546_339, 'de5ba5562f08029a19cb1cd659404b18411ed0d6c90ac5f52f30bf99ad5809aa'],
  ['nvidia-nvjitlink-cu12', '12.5.82', 21_298_879, 'f9b37bc5c8cf7509665cb6ada5aaa0ce65618f2332b7d3e78e9790511f111212'],
];

/** Pinned identities of the wheels. */
export const CUDA_WHEELS: readonly Wheel[] = ROWS.map(([name, version, bytes, sha256]) => ({
  label: name,
  requirement: `${name}==${version}`,
  pythonVersion: '3.11',
  platform: PLATFORM,
  fileName: `${name.replaceAll('-', '_')}-${version}-py3-none-${PLATFORM}.whl`,
  sha256,
  bytes,
}));
