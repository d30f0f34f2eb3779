// Ganglion's training speed beside PyTorch's, on the same machine, batch and data.
//
//   node test/bench/compare-pytorch.mjs --python .venv/bin/python --data data --rounds 3 --steps 150
//
// Needs a build (`npm run build`, `npm run setup`) and a Python with test/golden/requirements.txt. Contenders run one
// after another in every round, so that what else the machine does falls on all of them; the ratio is taken within a
// round, against the fastest PyTorch of that round. Trust figures from an idle machine only: PyTorch's threads wait for
// each other actively, so one busy program beside them can make them many times slower. Each contender gets the same
// number of workers, processes or threads.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TIMEOUT = 30 * 60_000;
const GANGLION = 'Ganglion';

// An interrupt ends the running contender, so that its files are removed.
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interrupt.abort());

/**
 * @typedef {{ python: string, data: string, rounds: number, steps: number, workers: number, batch: number,
 *   compiled: boolean, json: boolean }} Options
 * @typedef {{ name: string, run: () => Promise<number> }} Contender  `run` gives images per second
 * @typedef {Record<string, number | null>} Round  images per second by contender; null where it failed
 * @typedef {{ median: number, min: number, max: number }} Spread
 */

/** @returns {Options} */
function readOptions() {
  const { values } = parseArgs({
    options: {
      python: { type: 'string', default: 'python3' },
      data: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      steps: { type: 'string', default: '150' },
      workers: { type: 'string', default: '2' },
      batch: { type: 'string', default: '128' },
      compiled: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  if (values.data === undefined) throw new Error('--data DIR is needed: the folder with the idx files');
  /** @param {'rounds' | 'steps' | 'workers' | 'batch'} name */
  const whole = (name) => {
    const value = Number(values[name]);
    if (!Number.isSafeInteger(value) || value < 1)
      throw new Error(`--${name} ${values[name]}: not a whole number >= 1`);
    return value;
  };
  return {
    // A bare name is looked up in PATH; a path is taken from here, not from the folder the child runs in.
    python: values.python.includes('/') ? resolve(values.python) : values.python,
    data: resolve(values.data),
    rounds: whole('rounds'),
    steps: whole('steps'),
    workers: whole('workers'),
    batch: whole('batch'),
    compiled: values.compiled,
    json: values.json,
  };
}

/**
 * Runs a program to its end.
 *
 * @param {string} command
 * @param {readonly string[]} parameters
 * @returns {Promise<string>} standard output; rejects with the last error on standard error
 */
function execute(command, parameters) {
  return new Promise((fulfil, reject) => {
    const child = spawn(command, parameters, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT,
      signal: interrupt.signal,
    });
    let output = '';
    let complaint = '';
    child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      complaint = (complaint + text).slice(-4096);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) fulfil(output);
      else reject(new Error(`${signal ?? `exit status ${code}`}: ${lastError(complaint) || lastLine(output)}`));
    });
  });
}

/** @param {string} text */
const lastLine = (text) => text.trimEnd().split('\n').at(-1)?.trim() ?? '';

/**
 * The line of a program's complaints that says most: the last error, as Node.js ends with its own version.
 *
 * @param {string} text
 */
const lastError = (text) => lastLine(text.match(/^.*\w*Error\b.*: .*$/gm)?.at(-1) ?? text);

/** What share of the processor is in use, 0 to 1, over one second. */
async function busyShare() {
  const sum = () =>
    cpus().reduce(
      ({ idle, all }, { times }) => ({
        idle: idle + times.idle,
        all: all + times.user + times.nice + times.sys + times.idle + times.irq,
      }),
      { idle: 0, all: 0 },
    );
  const before = sum();
  await sleep(1000);
  const after = sum();
  return 1 - (after.idle - before.idle) / Math.max(1, after.all - before.all);
}

/** @param {unknown} value */
function toSpeed(value) {
  if (typeof value !== 'number' || !(value > 0)) throw new Error(`imagesPerSecond is ${JSON.stringify(value)}`);
  return value;
}

/**
 * @param {Options} options
 * @returns {Contender}
 */
function ganglion(options) {
  return {
    name: GANGLION,
    run: async () => {
      const folder = mkdtempSync(join(tmpdir(), 'ganglion-bench-'));
      try {
        const run = join(folder, 'run');
        await execute(process.execPath, [
          ...['dist/coordinator/main.js', 'train', '--workers', String(options.workers)],
          ...['--batch', String(options.batch), '--steps', String(options.steps), '--data', options.data, '--run', run],
          ...['--metrics-port', 'off', '--seed', '1'],
        ]);
        return toSpeed(JSON.parse(readFileSync(join(run, 'summary.json'), 'utf8')).imagesPerSecond);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

/**
 * @param {string} name
 * @param {Options} options
 * @param {readonly string[]} parameters
 * @returns {Contender}
 */
function pytorch(name, options, parameters) {
  return {
    name,
    run: async () => {
      const output = await execute(options.python, [
        ...['test/bench/pytorch_train.py', '--data', options.data, '--layout', 'channels_last'],
        ...['--batch', String(options.batch), '--steps', String(options.steps)],
        ...parameters,
      ]);
      return toSpeed(JSON.parse(lastLine(output)).imagesPerSecond);
    },
  };
}

/**
 * @param {readonly number[]} values at least one
 * @returns {Spread}
 */
function spread(values) {
  const sorted = values.toSorted((a, b) => a - b);
  /** @param {number} index */
  const at = (index) => /** @type {number} */ (sorted[index]);
  const middle = (at(Math.floor((sorted.length - 1) / 2)) + at(Math.ceil((sorted.length - 1) / 2))) / 2;
  return { median: middle, min: at(0), max: at(sorted.length - 1) };
}

/** @param {readonly (number | null | undefined)[]} values */
const present = (values) => values.filter((value) => typeof value === 'number');

/**
 * Ganglion's speed over that of the fastest PyTorch of the round; null where one of them is missing.
 *
 * @param {Round} round
 */
function ratioOf(round) {
  const own = round[GANGLION];
  const others = present(Object.entries(round).map(([name, speed]) => (name === GANGLION ? null : speed)));
  return own == null || others.length === 0 ? null : own / Math.max(...others);
}

/**
 * @param {string} label
 * @param {readonly number[]} values
 * @param {number} digits
 */
function row(label, values, digits) {
  if (values.length === 0) return `${label.padEnd(34)} failed`;
  const { median, min, max } = spread(values);
  const range = `${min.toFixed(digits)} - ${max.toFixed(digits)}`;
  return `${label.padEnd(34)} ${median.toFixed(digits).padStart(8)}   ${range}`;
}

async function main() {
  const options = readOptions();
  const n = String(options.workers);
  const contenders = [
    ganglion(options),
    pytorch(`PyTorch, ${n} threads`, options, ['--mode', 'single', '--threads', n, '--malloc', 'default']),
    pytorch(`PyTorch, ${n} threads, tuned malloc`, options, ['--mode', 'single', '--threads', n]),
    pytorch(`PyTorch DDP, ${n} processes, tuned malloc`, options, [
      '--mode',
      'ddp',
      '--processes',
      n,
      '--threads',
      '1',
    ]),
  ];
  if (options.compiled) {
    contenders.push(
      pytorch(`PyTorch compiled, ${n} threads, tuned malloc`, options, ['--mode', 'compiled', '--threads', n]),
    );
  }

  /** @type {Round[]} */
  const rounds = [];
  // What share of the processor other programs used, at worst, right before the contenders of each round.
  /** @type {number[]} */
  const busy = [];
  for (let index = 0; index < options.rounds; index++) {
    let busiest = 0;
    /** @type {Round} */
    const round = {};
    for (const { name, run } of contenders) {
      const others = await busyShare();
      busiest = Math.max(busiest, others);
      if (others > 0.1) {
        console.error(`round ${index + 1}: other programs keep the processor ${(100 * others).toFixed(0)} % busy`);
      }
      try {
        round[name] = await run();
        console.error(`round ${index + 1}: ${name}: ${round[name].toFixed(0)} images/s`);
      } catch (error) {
        if (interrupt.signal.aborted) throw new Error('interrupted');
        round[name] = null;
        console.error(`round ${index + 1}: ${name} failed: ${error instanceof Error ? error.message : error}`);
      }
    }
    rounds.push(round);
    busy.push(Number(busiest.toFixed(3)));
  }

  const ratios = present(rounds.map(ratioOf));
  const speeds = contenders.map(({ name }) => ({ name, values: present(rounds.map((round) => round[name])) }));
  if (options.json) {
    const summary = {
      steps: options.steps,
      workers: options.workers,
      batch: options.batch,
      rounds,
      busy,
      imagesPerSecond: Object.fromEntries(
        speeds.map(({ name, values }) => [name, values.length > 0 ? spread(values) : null]),
      ),
      ratio: ratios.length > 0 ? spread(ratios) : null,
    };
    console.log(JSON.stringify(summary));
  } else {
    console.log(`\n${'images per second'.padEnd(34)} ${'median'.padStart(8)}   min - max of ${options.rounds}`);
    for (const { name, values } of speeds) console.log(row(name, values, 0));
    console.log(row('Ganglion / fastest PyTorch', ratios, 2));
  }
  if (rounds.some((round) => Object.values(round).includes(null))) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
