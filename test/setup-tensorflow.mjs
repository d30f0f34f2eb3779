// Sets TensorFlow up for the tests of its engine: where python3 is there, and in CI, where it must be.
import { spawnSync } from 'node:child_process';

const { CI } = process.env;
const hasPython = spawnSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' }).status === 0;
if (hasPython || CI) {
  const { status } = spawnSync(process.execPath, ['dist/coordinator/main.js', 'setup', '--tensorflow'], {
    stdio: 'inherit',
  });
  // Without a network the other tests can run; in CI all must.
  if (CI) process.exitCode = status ?? 1;
} else {
  process.stderr.write('no python3 with pip: the tests of TensorFlow are skipped\n');
}
