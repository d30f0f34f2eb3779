// A long run with a random fault every few seconds, between the two halves of a quiet run of the same steps: the same hash, no step
// lost or repeated, no process left behind, and nearly the same speed.
//
//   npm run soak -- [--minutes 10] [--every 5] [--seed 1] [--workers 2] [--isolation process] [--audit 0] [--least 0.8]
//     [--steps N] [--json]
//
// The faults are a Poisson process drawn from the seed. Processes are killed and stopped from outside, by real signals; the rest, and
// all that happens to threads, is a plan (--fault). A flip is drawn only with --audit 1, which alone is sure to find it. --least is
// the share of the quiet speed below which the soak fails; 0 only reports it. --steps, in place of the steps that fill the minutes,
// makes two soaks comparable.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const MAIN = fileURLToPath(new URL('../../dist/coordinator/main.js', import.meta.url));
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    every: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
    isolation: { type: 'string', default: 'process' },
    audit: { type: 'string', default: '0' },
    least: { type: 'string', default: '0.8' },
    steps: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const { isolation, json } = values;
const [minutes, every, seed, workers, audit, least] = [
  values.minutes,
  values.every,
  values.seed,
  values.workers,
  values.audit,
  values.least,
].map(Number);
if ([minutes, every, seed, workers, audit, least].some(Number.isNaN) || !['thread', 'process'].includes(isolation)) {
  throw new Error('expected numbers, and --isolation thread or process');
}

/** Steps of the run that learns the speed. */
const FIRST_STEPS = 150;
const MARK = 'GANGLION_TEST_RUN';
const root = mkdtempSync(join(tmpdir(), 'ganglion-soak-'));
const say = (text) => {
  if (!json) console.log(text);
};

/** Uniform in [0, 1): mulberry32. */
function randomFrom(start) {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Faults in order of time. `outside` ones are signals. */
function drawFaults(seconds) {
  const random = randomFrom(seed);
  const kinds = ['kill', 'freeze', 'throw', 'delay', 'corrupt', 'nan', ...(audit === 1 ? ['flip'] : [])];
  // Half of the processes are frozen for longer than their heartbeat may be missing.
  const freezeMs = isolation === 'process' ? [500, 3500] : [200, 1300];
  const faults = [];
  for (let ms = 0; ; ) {
    ms += -Math.log(1 - random()) * every * 1000;
    if (ms > seconds * 1000) return faults;
    const kind = kinds[Math.floor(random() * kinds.length)];
    const [length, victim] = [random(), random()];
    const outside = isolation === 'process' && (kind === 'kill' || kind === 'freeze');
    const forMs =
      kind === 'freeze' ? freezeMs[0] + freezeMs[1] * length : kind === 'delay' ? 100 + 900 * length : undefined;
    faults.push({ kind, ms, outside, forMs, victim });
  }
}

function processesOf(run) {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`${MARK}=${run}\0`);
    } catch {
      return false;
    }
  });
}

const replicasOf = (run) =>
  processesOf(run).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('process-entry');
    } catch {
      return false;
    }
  });

function signal(pid, name) {
  try {
    process.kill(Number(pid), name);
    return true;
  } catch {
    return false; // ended meanwhile
  }
}

/** Resident megabytes. */
function residentMb(pid) {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;

/** Trains a run up to `steps` with these faults; goes on with it where `resumed` says so. */
async function train(name, steps, faults, resumed = false) {
  const run = join(root, name);
  const plan = join(root, `${name}.json`);
  const planned = faults.filter(({ outside }) => !outside);
  writeFileSync(
    plan,
    JSON.stringify(planned.map(({ kind, ms, forMs }) => ({ kind, afterMs: ms, ...(forMs ? { ms: forMs } : {}) }))),
  );
  const flags = ['--steps', steps, '--seed', seed, '--workers', workers, '--isolation', isolation, '--audit', audit];
  const fixed = [
    '--max-restarts',
    100_000,
    '--metrics-port',
    'off',
    '--fault',
    plan,
    resumed ? '--resume' : '--run',
    run,
  ];
  const child = spawn(process.execPath, [MAIN, 'train', ...flags, ...fixed].map(String), {
    env: { ...process.env, [MARK]: run },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.on('data', (text) => {
    said += text;
  });
  child.stderr.on('data', (text) => {
    said += text;
  });
  let over = false;
  const ended = new Promise((done) => {
    child.on('close', (code) => {
      over = true;
      done(code);
    });
  });

  // From the first step on, as the times of the plan.
  const log = join(run, 'metrics.jsonl');
  while (!over && !(existsSync(log) && readFileSync(log, 'latin1').includes('\n'))) await delay(5);
  const startMs = performance.now();
  const memory = [];
  const done = { kill: 0, freeze: 0, throw: 0, delay: 0, corrupt: 0, nan: 0, flip: 0 };
  let next = 0;
  while (!over) {
    const nowMs = performance.now() - startMs;
    for (; next < faults.length && faults[next].ms <= nowMs; next++) {
      const { kind, outside, forMs, victim } = faults[next];
      if (outside) {
        const replicas = replicasOf(run);
        const pid = replicas[Math.floor(victim * replicas.length)];
        if (pid === undefined || !signal(pid, kind === 'kill' ? 'SIGKILL' : 'SIGSTOP')) continue;
        if (kind === 'freeze') setTimeout(() => signal(pid, 'SIGCONT'), forMs);
      }
      done[kind] += 1;
    }
    if (memory.length < nowMs / 1000) memory.push(residentMb(child.pid));
    await delay(20);
  }
  const exitCode = await ended;
  if (exitCode !== 0) throw new Error(`the ${name} run ended with exit code ${exitCode}:\n${said.slice(-3000)}`);
  await delay(500);
  const summary = JSON.parse(readFileSync(join(run, 'summary.json'), 'utf8'));
  const records = readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const inOrder = records.length === steps && records.every(({ step }, i) => step === i + 1);
  const skipped = records.filter(
    ({ gradientNormD, gradientNormG }) => gradientNormD === null || gradientNormG === null,
  );
  const tenth = Math.ceil(memory.length / 10);
  const growthMb = median(memory.slice(-tenth)) - median(memory.slice(tenth, 2 * tenth));
  const result = {
    ...summary,
    inOrder,
    skipped: skipped.length,
    faults: done,
    growthMb,
    left: processesOf(run).length,
  };
  const struck = Object.values(done).reduce((sum, count) => sum + count, 0);
  say(
    `${name}: ${steps} steps, ${summary.imagesPerSecond.toFixed(0)} images/s, ${struck} faults, ${summary.restarts} restarts, ` +
      `memory ${growthMb.toFixed(0)} MB more, state ${summary.stateSha256.slice(0, 12)}`,
  );
  return result;
}

/** Steps that fill the time. */
async function stepsFor(seconds) {
  const { wallSeconds } = await train('first', FIRST_STEPS, []);
  return Math.max(20, Math.round((seconds * FIRST_STEPS) / wallSeconds));
}

try {
  const steps = values.steps === undefined ? await stepsFor(minutes * 60) : Number(values.steps);
  const before = await train('quiet', Math.ceil(steps / 2), []);
  const faulty = await train('faulty', steps, drawFaults(minutes * 60 * 3));
  const after = await train('quiet', steps, [], true);
  const ratio = (2 * faulty.imagesPerSecond) / (before.imagesPerSecond + after.imagesPerSecond);
  const runs = [before, faulty, after];
  const checks = {
    'same state': faulty.stateSha256 === after.stateSha256,
    'no step lost': runs.every(({ lostSteps, inOrder }) => lostSteps === 0 && inOrder),
    'no step repeated': runs.every(({ repeatedSteps }) => repeatedSteps === 0),
    'no update skipped': runs.every(({ skipped }) => skipped === 0),
    'no process left': runs.every(({ left }) => left === 0),
    [`at least ${least} of the quiet speed`]: ratio >= least,
  };
  const result = {
    isolation,
    workers,
    steps,
    minutes: faulty.wallSeconds / 60,
    every,
    faults: faulty.faults,
    restarts: faulty.restarts,
    imagesPerSecond: { quiet: [before.imagesPerSecond, after.imagesPerSecond], faulty: faulty.imagesPerSecond },
    ratio,
    growthMb: { quiet: before.growthMb, faulty: faulty.growthMb },
    stateSha256: [faulty.stateSha256, after.stateSha256],
    checks,
  };
  if (json) console.log(JSON.stringify(result));
  else {
    const faults = Object.entries(faulty.faults).flatMap(([kind, count]) => (count > 0 ? [`${count} ${kind}`] : []));
    console.log(`faults: ${faults.join(', ') || 'none'}; ${(ratio * 100).toFixed(1)} % of the quiet speed`);
    for (const [check, passed] of Object.entries(checks)) console.log(`${passed ? 'passed' : 'FAILED'}: ${check}`);
  }
  process.exitCode = Object.values(checks).every(Boolean) ? 0 : 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
