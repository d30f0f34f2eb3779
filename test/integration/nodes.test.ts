// Several nodes train together, as ranks of an Open MPI that is installed here. Deaths, and more nodes, are in test/slow/nodes.test.ts.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { Status } from '../../coordinator/monitoring/status.ts';
import { exercise } from '../fixtures/exercise-nodes.mjs';
import { localNodes } from '../unit/coordinator/training/local-nodes.ts';
import { dashboardQueries } from '../unit/dashboards/dashboard-queries.ts';
import { fillVariables } from '../unit/dashboards/promql.ts';
import { MAIN, REPOSITORY, scratchFolder, stepsOf, succeed, summaryOf } from './ganglion.ts';
import { compileHeapWatch, HAS_MPI, mpirun, trainOnNodes } from './mpirun.ts';
import { startPrometheus, withoutPrometheus } from './prometheus.ts';

const scratch = scratchFolder('nodes');
const SMALL = ['--batch', '32', '--shards', '4', '--latent', '16', '--seed', '7', '--metrics-port', 'off'];
const RUN = [...SMALL, '--workers', '1', '--evaluate-every', 'off'];

const SOON = { timeout: 120_000, interval: 100 };

const EXERCISE = join(REPOSITORY, 'test', 'fixtures', 'exercise-nodes.mjs');

describe.skipIf(!HAS_MPI)('two nodes', () => {
  it('add up, tell each other and agree as those of the unit tests do', async () => {
    const { stdout, exitCode } = await mpirun(2, [EXERCISE]).ended;
    const lines = stdout
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('{'));
    const byNode = (results: readonly { node: number }[]) => results.toSorted((a, b) => a.node - b.node);
    expect(byNode(lines.map((line) => JSON.parse(line)))).toEqual(
      byNode(await Promise.all(localNodes(2).map(exercise))),
    );
    expect(exitCode).toBe(0);
  });

  it('leave the end of the heap to malloc: others take a page of it where it cannot grow', async () => {
    const library = scratch('heap-watch.so');
    compileHeapWatch(library);
    const watched = (env: NodeJS.ProcessEnv) => mpirun(2, [EXERCISE], { env: { LD_PRELOAD: library, ...env } }).ended;
    const { exitCode, stdout, stderr } = await watched({});
    expect([exitCode, `${stdout}${stderr}`.match(/sbrk.*/g)]).toEqual([0, null]);
    expect((await watched({ UCX_MEM_EVENTS: 'y' })).stderr).toContain('sbrk(-4096)');
  });

  it('train to the bits of one, and go on with its run', async () => {
    await succeed(['train', ...RUN, '--steps', '6', '--run', scratch('one')]);
    await succeed(['train', ...RUN, '--steps', '2', '--run', scratch('two')]);
    const profile = ['--profile', scratch('trace.json'), '--profile-steps', '2'];
    const more = ['--resume', scratch('two'), '--steps', '6', ...profile];
    const { exitCode, stderr } = await trainOnNodes(2, [...RUN, ...more]);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(summaryOf(scratch('two')).stateSha256).toBe(summaryOf(scratch('one')).stateSha256);
    expect(stepsOf(scratch('two'))).toEqual([1, 2, 3, 4, 5, 6]);
    const trace: { name: string; pid: number }[] = JSON.parse(readFileSync(scratch('trace.json'), 'utf8'));
    const ofEach = (name: string) => [1, 2].map((pid) => trace.filter((e) => e.pid === pid && e.name === name).length);
    expect([ofEach('process_name'), ofEach('step 6'), ofEach('reduce')]).toEqual([
      [1, 1],
      [1, 1],
      [4, 4],
    ]);
  });

  it('get the images of the first where a path leads nowhere', async () => {
    const images = Buffer.alloc(16 + 64 * 28 * 28);
    for (const [i, value] of [0x803, 64, 28, 28].entries()) images.writeUInt32BE(value, 4 * i);
    for (let i = 16; i < images.length; i++) images[i] = (i * i) % 251;
    const folders = [scratch('with'), scratch('without')];
    for (const folder of folders) mkdirSync(folder);
    writeFileSync(scratch('with', 'images-idx3-ubyte'), images);
    const flags = [...RUN, '--data', 'images-idx3-ubyte', '--steps', '2', '--run'];
    await succeed(['train', ...flags, scratch('data-one')], { cwd: scratch('with') });
    const { exitCode, stderr } = await trainOnNodes(2, [...flags, scratch('data-two')], { folders });
    const said =
      'ganglion: node 1: there is no images-idx3-ubyte here; node 0 has sent images-idx3-ubyte (64 images)\n';
    expect([exitCode, stderr]).toEqual([0, said]);
    expect(summaryOf(scratch('data-two')).stateSha256).toBe(summaryOf(scratch('data-one')).stateSha256);
  });

  it('are refused by one line of the first when they cannot train the same', async () => {
    const run = scratch('refused');
    const flags = ['--shards', '1', '--steps', '4', '--run', run];
    const { stderr } = await trainOnNodes(2, [...RUN, ...flags]);
    expect(stderr.split('\n').filter((line) => line.startsWith('ganglion:'))).toEqual([
      'ganglion: 2 nodes: expected at most one a shard, and there are 1 (--shards)',
    ]);
    expect(existsSync(run)).toBe(false);
  });
});

describe.skipIf(!HAS_MPI || withoutPrometheus)('two nodes that train', () => {
  it('are known to the first, and scraped one by one by Prometheus', async () => {
    const run = scratch('seen');
    const flags = [...RUN, '--steps', '1000000', '--metrics-port', '0', '--run', run];
    const running = mpirun(2, [MAIN, 'train', ...flags]);
    const targets = join(run, 'targets.json');
    try {
      await vi.waitUntil(() => existsSync(targets), SOON);
      const [{ targets: addresses }] = JSON.parse(readFileSync(targets, 'utf8'));
      expect(addresses).toEqual(Array(2).fill(expect.stringMatching(/^[^:]+:\d+$/)));
      const ports = addresses.map((address: string) => address.split(':')[1]);
      const statusAt = async (port: string) =>
        (await (await fetch(`http://127.0.0.1:${port}/api/status`)).json()) as Status;
      const [first, second] = [await statusAt(ports[0]), await statusAt(ports[1])];
      const node = { state: 'working', replicas: 1, shards: expect.any(Number), pid: expect.any(Number) };
      expect(first.nodes).toMatchObject([
        { ...node, node: 0 },
        { ...node, node: 1 },
      ]);
      expect(first.replicas.map(({ node: of }) => of)).toEqual([0, 1]);
      expect([second.nodes, second.replicas.length, second.state]).toEqual([[], 1, 'training']);
      const prometheus = await startPrometheus(scratch, { file: targets });
      try {
        const nodesOf = async (query: string) =>
          (await prometheus.query(query).catch(() => [])).map(({ labels }) => labels.node).toSorted();
        const busy = 'sum by (node) (rate(ganglion_replica_shards_total[3s])) > 0';
        await expect.poll(() => nodesOf(busy), SOON).toEqual(['0', '1']);
        await expect.poll(() => nodesOf('ganglion_info'), SOON).toEqual(['0', '1']);
        await expect.poll(() => nodesOf('ganglion_steps_total'), SOON).toEqual(['0']);
        const values = { run: '.*', instance: `127.0.0.1:${ports[0]}`, __rate_interval: '3s' };
        const panels = dashboardQueries().filter(({ expression }) => expression.startsWith('sum by (node, run)'));
        expect(panels.length).toBeGreaterThan(4);
        for (const { where, expression } of panels) {
          const nodes = () => nodesOf(fillVariables(expression, values));
          await expect.poll(nodes, { ...SOON, message: where }).toEqual(['0', '1']);
        }
      } finally {
        await prometheus.stop();
      }
    } finally {
      running.child.kill('SIGUSR1');
      await running.ended;
    }
    expect([existsSync(targets), summaryOf(run)]).toMatchObject([false, { nodes: 2, workers: 1 }]);
  });
});
