import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ORPHAN = fileURLToPath(new URL('../../../fixtures/orphan.mjs', import.meta.url));

it('asks for a stop when the process that has started the rank is gone', async () => {
  // The shell is killed once the rank watches it; the pipe ends with the rank.
  const shell = spawn('sh', ['-c', `'${process.execPath}' '${ORPHAN}' & wait`], {
    env: { ...process.env, OMPI_COMM_WORLD_RANK: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  for await (const text of shell.stdout.setEncoding('utf8')) {
    said += text;
    if (said === 'watching\n') shell.kill('SIGKILL');
  }
  expect(said).toBe('watching\nthe end of mpirun\n');
});
