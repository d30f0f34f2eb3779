// Prints the folders of the cache that were compiled of today's sources, for test/gpu/pack.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { locateCuda } from '../../workers/engines/cuda/library.ts';
import { locateKernels } from '../../workers/engines/kernels/library.ts';

const { kernelsFolder, cacheFolder } = locateKernels();
const { key } = locateCuda({ ...process.env, GANGLION_CUDA: '' });
const ofCuda = readdirSync(cacheFolder).filter((name) => name.startsWith(`cuda-${key}-`) && !name.includes('emulated'));
for (const folder of [kernelsFolder, ...ofCuda.map((name) => join(cacheFolder, name))]) console.log(folder);
