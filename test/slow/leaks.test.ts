// A run whose replica is replaced again and again holds no more memory than before.
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { oneTo, SMALL, scratchFolder, startGanglion, summaryOf } from '../integration/ganglion.ts';
import { expectNoneLeft, markOf } from '../integration/left-behind.ts';

const scratch = scratchFolder('leaks');

it.each(['thread', 'process'] as const)('leaks neither tensors nor memory over 20 restarts: %s', async (isolation) => {
  const run = scratch(`leak-${isolation}`);
  const plan = scratch(`leak-${isolation}.json`);
  const faults = oneTo(20).map((i) => ({ kind: 'throw', step: 3 * i, pass: 'generator', shard: 1 }));
  writeFileSync(plan, JSON.stringify(faults));
  const flags = ['--workers', '1', '--steps', '120', '--max-restarts', '20', '--isolation', isolation];
  const args = ['train', ...SMALL, '--latent', '16', ...flags, '--metrics-port', '0', '--fault', plan, '--run', run];
  const running = startGanglion(args, { env: markOf(run) });
  const [, port] = await running.said(/http:\/\/localhost:(\d+)\/metrics/);

  const residentMb = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${running.pid}/status`, 'utf8'))?.[1]) / 1024;
  const memory: number[] = [];
  const tensors: number[] = [];
  for (let restarts = 1; restarts <= 20; restarts++) {
    await running.said(new RegExp(`step ${3 * restarts}, generator phase, shard 1: injected fault`));
    memory.push(residentMb());
    const metrics = await (await fetch(`http://localhost:${port}/metrics`)).text();
    tensors.push(Number(/^ganglion_native_tensors (\d+)$/m.exec(metrics)?.[1]));
  }
  expect((await running.ended).exitCode).toBe(0);
  expect(summaryOf(run)).toMatchObject({ restarts: 20, step: 120, lostSteps: 0, repeatedSteps: 0 });
  expect(tensors).toEqual(tensors.map(() => 0));
  // A replica that stayed would take 5 MB for its results alone, and ten times as much for its graphs: 40 MB from the eighth restart to the
  // sixteenth. What garbage collections have not given back yet comes and goes, 10 to 60 MB, also late; what leaks is in the least that is held.
  const grown = Math.min(...memory.slice(-5)) - Math.max(...memory.slice(0, 8));
  expect(grown, memory.map(Math.round).join(' ')).toBeLessThan(32);
  await expectNoneLeft(run);
});
