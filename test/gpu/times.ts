// Where the time of a pass goes on a GPU: every kernel of it by itself, in the order of its launches, and the whole.
//
//   node dist/test/gpu/times.js [IMAGES A SHARD] [SHARDS]     default: 32 4
import { layoutOf } from '../../shared/model/layout.ts';
import { dcgan28 } from '../../shared/model/spec.ts';
import { CudaPass } from '../../workers/engines/cuda/cuda-pass.ts';
import { cudaRunner } from '../../workers/engines/cuda/cuda-runner.ts';

const [shardSize = 32, shards = 4] = process.argv.slice(2).map(Number);
const spec = dcgan28(100);
const { binding, gpu, device } = cudaRunner(0);
const layouts = [layoutOf('generator', spec), layoutOf('discriminator', spec)];
const memory = binding.allocate(gpu, 4 * layouts.reduce((sum, { parameterCount }) => sum + parameterCount + 64, 0));
let place = binding.addressOf(memory);
const parameters: Record<string, number> = {};
for (const { net, parameters: all, parameterCount } of layouts) {
  for (const { name, offset } of all) parameters[`${net}/${name}`] = place + offset * 4;
  place += Math.ceil(parameterCount / 64) * 256;
}
const setup = { spec, shardSize, shards, seed: 1, limit: 256 };
const stream = binding.createStream(gpu);

/** Microseconds of a launch, without those of its submission. */
function measure(run: () => void): number {
  const wall = (times: number): number => {
    const from = performance.now();
    for (let i = 0; i < times; i++) run();
    binding.synchronise(stream);
    return performance.now() - from;
  };
  wall(3);
  return (1000 * (wall(30) - wall(10))) / 20;
}

for (const name of ['real', 'fake', 'generator'] as const) {
  const pass = new CudaPass(name, { binding, gpu, setup, capacity: shards, parameters });
  const launches = pass.program.launches(shards, 'all');
  console.log(`${device}, pass ${name}, ${shards} shards of ${shardSize} images, ${launches.length} launches`);
  let sum = 0;
  for (const launch of launches.slice(0, -2)) {
    const repeated = Array.from({ length: 10 }, (_, i) => ({ ...launch, after: i === 0 ? [] : [i - 1] }));
    const graph = binding.createGraph(gpu, repeated);
    const microseconds = measure(() => binding.runGraph(graph, stream)) / 10;
    sum += microseconds;
    console.log(`${microseconds.toFixed(2).padStart(9)} us  ${launch.kernel} [${launch.grid}] x ${launch.threads}`);
  }
  const vectors = Array.from({ length: shards }, () => binding.allocate(gpu, 4 * pass.vector.length));
  const numbers = vectors.map((_, shard) => shard);
  pass.begin(
    1,
    numbers,
    vectors.map((one) => binding.addressOf(one)),
    [],
    false,
  ); // the addresses of vectors, for what ends a pass
  binding.synchronise(pass.stream);
  for (const launch of launches.slice(-2)) {
    const graph = binding.createGraph(gpu, [{ ...launch, after: [] }]);
    console.log(
      `${measure(() => binding.runGraph(graph, stream))
        .toFixed(2)
        .padStart(9)} us  ${launch.kernel} (alone)`,
    );
  }
  const whole = measure(() => pass.program.run(stream, shards));
  console.log(`${whole.toFixed(1).padStart(9)} us  the pass as a graph; ${sum.toFixed(1)} us its kernels one by one`);
}
