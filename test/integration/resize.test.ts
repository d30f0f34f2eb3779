// Another number of replicas while a run trains, asked for over HTTP: the weights are those of a run that was left alone.
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { oneTo, reached, SMALL, scratchFolder, startGanglion, stepsOf, succeed, summaryOf } from './ganglion.ts';

const scratch = scratchFolder('resize');
const STEPS = 300;

it('changes the number of workers of a run under way, and no weight', async () => {
  const quiet = scratch('quiet');
  await succeed(['train', ...SMALL, '--workers', '2', '--steps', String(STEPS), '--run', quiet]);

  const path = scratch('resized');
  const run = startGanglion([
    ...['train', ...SMALL, '--workers', '1', '--steps', String(STEPS), '--run', path],
    ...['--metrics-port', '0'],
  ]);
  const [, port] = await run.said(/^metrics: http:\/\/localhost:(\d+)\/metrics$/m);
  const url = `http://127.0.0.1:${port}`;
  const resize = async (count: unknown) => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${url}/api/workers`, { method: 'POST', headers, body: JSON.stringify({ count }) });
    return [response.status, await response.json()];
  };
  const replicas = async (): Promise<string[]> => {
    const status = (await (await fetch(`${url}/api/status`)).json()) as { replicas: { id: number; state: string }[] };
    return status.replicas.map(({ id, state }) => `${id} ${state === 'idle' ? 'busy' : state}`);
  };
  await reached(run, path, 5);
  expect(await resize(5)).toEqual([400, { error: expect.stringContaining('5') }]); // four shards
  expect(await resize(3)).toEqual([202, { workers: 3 }]);
  while ((await replicas()).filter((replica) => replica.endsWith('busy')).length < 3) await delay(20);
  expect(await replicas()).toEqual(['0 busy', '1 busy', '2 busy']);
  expect(await resize(2)).toEqual([202, { workers: 2 }]);
  while ((await replicas()).length > 2) await delay(5);
  expect(await replicas()).toEqual(['0 busy', '1 busy']);

  const { exitCode, stdout, stderr } = await run.ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout.match(/^changing from \d to \d workers$/gm)).toEqual([
    'changing from 1 to 3 workers',
    'changing from 3 to 2 workers',
  ]);
  expect(stepsOf(path)).toEqual(oneTo(STEPS));
  expect(summaryOf(path)).toMatchObject({ workers: 2, restarts: 0, stateSha256: summaryOf(quiet).stateSha256 });
});
