// Ganglion as a library: trains some steps, draws samples on the way, writes a checkpoint, and draws from it again.
//   node examples/library.mjs [checkpoint file]
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Generator, train } from 'ganglion';

const path = process.argv[2] ?? join(tmpdir(), 'ganglion-example.safetensors');

const training = train({ steps: 6, seed: 7, batch: 32, workers: 2 });
for await (const { step, lossG, outputReal, outputFake } of training) {
  console.log(
    `step ${step}: D(x) ${outputReal.toFixed(3)}, D(G(z)) ${outputFake.toFixed(3)}, loss G ${lossG.toFixed(3)}`,
  );
  if (step === 3) {
    const { values, count, shape } = await training.sample({ count: 4 });
    console.log(`after step ${step}: ${count} images of ${shape.join(' x ')}, ${values.length} values`);
  }
}
const { step, stateSha256 } = await training.checkpoint(path);
console.log(`checkpoint of step ${step}: ${stateSha256}`);

const { count, shape } = await Generator.open(path).draw({ count: 16, seed: 1 });
console.log(`drawn from it: ${count} images of ${shape.join(' x ')}`);
