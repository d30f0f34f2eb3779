// The table of the README: whatever happens to the workers, in threads and in processes, the state has one hash. Prints the table:
// `npm run faults:table`.
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  oneTo,
  type Running,
  reached,
  recordsOf,
  scratchFolder,
  startGanglion,
  stepsOf,
  summaryOf,
} from '../integration/ganglion.ts';
import { expectNoneLeft, markOf, replicasOf } from '../integration/left-behind.ts';

const scratch = scratchFolder('table');
const STEPS = 12;
const MODEL = ['--batch', '32', '--shards', '4', '--latent', '16', '--seed', '7', '--steps', String(STEPS)];
const FREEZE_MS = 20_000;
/** Cells at once: some wait for deadlines, some start processes. */
const AT_ONCE = 3;

type Isolation = 'thread' | 'process';
const ISOLATIONS: readonly Isolation[] = ['thread', 'process'];
const PLURAL = { thread: ['thread', 'threads'], process: ['process', 'processes'] } as const;
const WORKERS: readonly number[] = [1, 2, 4];

/** What is done to a run. */
interface Row {
  readonly name: string;
  /** The fewest workers that it takes. */
  readonly workers?: number;
  /** Flags beside those of the model. */
  readonly flags?: readonly string[];
  /** Faults by plan. */
  readonly plan?: (isolation: Isolation, workers: number) => readonly object[];
  /** Faults from outside; resolves when they have struck. */
  readonly strike?: (running: Running, run: string, isolation: Isolation) => Promise<void>;
  /** Replicas that are lost, at least. */
  readonly lost?: (workers: number) => number;
  /** Whether its runs wait most of the time: they begin first. */
  readonly waits?: boolean;
  /** What the run says of it. */
  readonly said?: RegExp;
}

const PASSES = ['real', 'fake', 'generator'];

/** Kills replicas: processes by a real signal, threads by the shard that each is given next. */
function killed(count: (workers: number) => number): Pick<Row, 'plan' | 'strike' | 'lost'> {
  const replicas = (workers: number): number[] => Array.from({ length: count(workers) }, (_, replica) => replica);
  return {
    plan: (isolation, workers) =>
      isolation === 'process' ? [] : replicas(workers).map((replica) => ({ kind: 'kill', afterMs: 100, replica })),
    async strike(running, run, isolation) {
      if (isolation === 'thread') return;
      await reached(running, run, 3);
      const pids = replicasOf(run, running.pid);
      for (const pid of pids.slice(0, count(pids.length))) process.kill(pid, 'SIGKILL');
    },
    lost: count,
  };
}

const ROWS: readonly Row[] = [
  { name: 'no fault', said: /finished at step 12/ },
  {
    name: 'a worker killed in each pass (process: SIGKILL)',
    plan: () => PASSES.map((pass, i) => ({ kind: 'kill', step: 2 + 3 * i, pass, shard: i })),
    lost: () => 3,
    said: /(ended by SIGKILL|ended with exit code 137)/,
  },
  {
    name: 'a thrown error in each pass',
    plan: () => PASSES.map((pass, i) => ({ kind: 'throw', step: 2 + 3 * i, pass, shard: i })),
    lost: () => 3,
    said: /injected fault/,
  },
  {
    name: 'frozen for 20 s (process: SIGSTOP)',
    waits: true,
    plan: () => [{ kind: 'freeze', step: 5, pass: 'fake', shard: 2, ms: FREEZE_MS }],
    lost: (workers) => (workers === 1 ? 1 : 0), // with more, the run may be over before the loss is noticed
  },
  { name: 'a shard delayed by 1 s', plan: () => [{ kind: 'delay', step: 6, pass: 'generator', shard: 1, ms: 1000 }] },
  {
    name: 'a corrupt answer (process: frame)',
    plan: () => [{ kind: 'corrupt', step: 4, pass: 'fake', shard: 3 }],
    lost: () => 1,
    said: /malformed/,
  },
  {
    // An answer that comes when the call is over is compared with none: of three, one at least is in time on a busy machine, too.
    name: 'a bit flip in three shards, --audit 1',
    flags: ['--audit', '1'],
    plan: () => [2, 4, 6].map((step) => ({ kind: 'flip', step, pass: 'generator', shard: step % 4 })),
    lost: () => 1,
    said: /its result has other bits than two others/,
  },
  {
    name: 'a NaN in three shards, once each',
    plan: () => [3, 5, 7].map((step) => ({ kind: 'nan', step, pass: 'real', shard: step % 4 })),
    lost: () => 1,
    said: /is NaN, expected a finite value below \d+, where others have none/,
  },
  { name: 'two workers killed at once', workers: 2, ...killed(() => 2) },
  { name: 'all workers killed', ...killed((workers) => workers) },
  {
    name: 'coordinator killed, --resume',
    flags: ['--checkpoint-every', '3'],
    async strike(running, run) {
      await reached(running, run, 5);
      process.kill(running.pid, 'SIGKILL');
    },
  },
];

interface Cell {
  readonly row: Row;
  readonly isolation: Isolation;
  readonly workers: number;
}

const CELLS: readonly Cell[] = ROWS.flatMap((row) =>
  ISOLATIONS.flatMap((isolation) => WORKERS.map((workers) => ({ row, isolation, workers }))),
).filter(({ row, workers }) => workers >= (row.workers ?? 1));

const nameOf = ({ row, isolation, workers }: Cell): string => `${ROWS.indexOf(row)}-${isolation}-${workers}`;

/** Trains one cell to its end. @returns what it said */
async function train(cell: Cell): Promise<string> {
  const { row, isolation, workers } = cell;
  const run = scratch(nameOf(cell));
  const env = markOf(run);
  const plan = scratch(`${nameOf(cell)}.json`);
  writeFileSync(plan, JSON.stringify(row.plan?.(isolation, workers) ?? []));
  const cluster = ['--workers', String(workers), '--isolation', isolation, '--metrics-port', 'off'];
  const flags = [...MODEL, ...cluster, ...(row.flags ?? []), '--fault', plan, '--run', run];
  const running = startGanglion(['train', ...flags], { env });
  await row.strike?.(running, run, isolation);
  let ended = await running.ended;
  if (ended.signal === 'SIGKILL') {
    await expectNoneLeft(run); // before anything else is started
    ended = await startGanglion(['train', '--resume', run], { env }).ended;
  }
  const { exitCode, stderr, stdout } = ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

/** Runs `job`s, so many at once, in the order in which they come. */
function limiter(count: number): <T>(job: () => Promise<T>) => Promise<T> {
  const lanes = Array.from({ length: count }, () => Promise.resolve());
  const queue: (() => Promise<void>)[] = [];
  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) await next();
  };
  return (job) =>
    new Promise((resolve, reject) => {
      queue.push(() => job().then(resolve, reject));
      for (const [i, before] of lanes.entries()) lanes[i] = before.then(lane);
    });
}

const outcomes = new Map<Cell, Promise<string>>();
const hashes = new Map<Cell, string>();
beforeAll(() => {
  const limited = limiter(AT_ONCE);
  for (const cell of CELLS.toSorted((a, b) => Number(b.row.waits ?? false) - Number(a.row.waits ?? false))) {
    const outcome = limited(() => train(cell));
    outcome.catch(() => {}); // its test fails
    outcomes.set(cell, outcome);
  }
});

describe.each(ROWS)('$name', (row) => {
  it.each(CELLS.filter((cell) => cell.row === row))('workers: $workers, isolation: $isolation', async (cell) => {
    const stdout = await outcomes.get(cell);
    const run = scratch(nameOf(cell));
    const summary = summaryOf(run);
    hashes.set(cell, String(summary.stateSha256));
    expect(summary).toMatchObject({ step: STEPS, workers: cell.workers, lostSteps: 0, repeatedSteps: 0 });
    expect(stepsOf(run)).toEqual(oneTo(STEPS));
    expect(summary.restarts).toBeGreaterThanOrEqual(row.lost?.(cell.workers) ?? 0);
    expect(stdout).toMatch(row.said ?? /finished at step 12/);
    const slowest = Math.max(...recordsOf(run).map(({ seconds }) => Number(seconds)));
    expect(slowest * 1000).toBeLessThan(FREEZE_MS);
    await expectNoneLeft(run);
    expect(new Set(hashes.values()).size).toBe(1);
  });
});

afterAll(() => {
  const entry = (row: Row, isolation: Isolation, workers: number): string => {
    const cell = CELLS.find((other) => other.row === row && other.isolation === isolation && other.workers === workers);
    return cell ? `\`${hashes.get(cell)?.slice(0, 6) ?? 'failed'}\`` : '–';
  };
  const columns = ISOLATIONS.flatMap((isolation) => WORKERS.map((workers) => [isolation, workers] as const));
  const heads = columns.map(([isolation, workers]) => `${workers} ${PLURAL[isolation][workers === 1 ? 0 : 1]}`);
  const table = [
    ['fault', ...heads],
    ...ROWS.map((row) => [row.name, ...columns.map(([isolation, workers]) => entry(row, isolation, workers))]),
  ];
  const widths = ['fault', ...heads].map((_, i) => Math.max(...table.map((cells) => cells[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const [head = '', ...body] = table.map(line);
  const markdown = [head, head.replace(/[^|]/g, '-').replace(/(?<=\|)-|-(?=\|)/g, ' '), ...body].join('\n');
  console.log(`First digits of stateSha256:\n\n${markdown}\n`);
});
