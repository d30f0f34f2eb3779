// Ganglion's training speed beside PyTorch's and the processor's limit, on the same machine, batch and data.
//
//   npm run bench                                       Ganglion and sgemm
//   npm run bench -- --torch install                    and PyTorch, in a virtual environment that pip makes in the cache
//   npm run bench -- --python .venv/bin/python          and PyTorch, of a Python with test/golden/requirements.txt
//   npm run bench -- --rounds 3 --steps 300 --only ganglion-2,torch-single --json
//
// Contenders run one after another in every round, so that what else the machine does falls on all of them; ratios are taken
// within a round. Trust figures from an idle machine only: PyTorch's threads wait for each other actively, so one busy program
// beside them can make them many times slower. Then a profile of each Ganglion says where the time of a step goes.
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { contendersFor } from './contenders.mjs';
import { busyShare, interrupt, ROOT } from './execute.mjs';
import { FLOP_PER_IMAGE } from './flop.mjs';
import { findPython, torchVersion } from './torch.mjs';

/**
 * @typedef {Record<string, number | null>} Round  speed by contender; null where it failed
 * @typedef {{ median: number, min: number, max: number }} Spread
 * @typedef {import('./contenders.mjs').Contender} Contender
 */

const OPTIONS = /** @type {const} */ ({
  rounds: { type: 'string', default: '3' },
  steps: { type: 'string', default: '300' },
  workers: { type: 'string', default: '2' },
  batch: { type: 'string', default: '128' },
  data: { type: 'string' },
  only: { type: 'string' },
  python: { type: 'string' },
  torch: { type: 'string' },
  compiled: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
});

function readOptions() {
  const { values } = parseArgs({ options: OPTIONS });
  /** @param {'rounds' | 'steps' | 'workers' | 'batch'} name */
  const whole = (name) => {
    const value = Number(values[name]);
    if (!Number.isSafeInteger(value) || value < 1)
      throw new Error(`--${name} ${values[name]}: expected a whole number of at least 1`);
    return value;
  };
  if (values.torch !== undefined && values.torch !== 'install')
    throw new Error(`--torch ${values.torch}: expected install, or --python PATH`);
  return {
    ...{ rounds: whole('rounds'), steps: whole('steps'), workers: whole('workers'), batch: whole('batch') },
    ...{ python: values.python, torch: values.torch, compiled: values.compiled, json: values.json },
    data: values.data === undefined ? undefined : resolve(values.data),
    only: values.only?.split(','),
  };
}

/**
 * Those whose names begin with one of `only`.
 *
 * @param {Contender[]} contenders
 * @param {string[] | undefined} only
 */
function choose(contenders, only) {
  if (only === undefined) return contenders;
  for (const wanted of only) {
    if (!contenders.some(({ name }) => name.startsWith(wanted))) {
      throw new Error(
        `--only ${wanted}: expected the beginning of one of ${contenders.map(({ name }) => name).join(', ')}`,
      );
    }
  }
  return contenders.filter(({ name }) => only.some((wanted) => name.startsWith(wanted)));
}

/** What the figures hold for. @param {string | undefined} python */
async function describeMachine(python) {
  const git = (/** @type {string[]} */ ...parameters) =>
    execFileSync('git', parameters, { cwd: ROOT, encoding: 'utf8' }).trim();
  let commit = 'unknown';
  try {
    commit = git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '-uno') === '' ? '' : ' with changes');
  } catch {} // not a checkout
  const torch = python === undefined ? null : await torchVersion(python);
  return { processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version, torch, commit };
}

/** @param {Contender[]} contenders @param {number} count */
async function runRounds(contenders, count) {
  /** @type {Round[]} */
  const rounds = [];
  // What share of the processor other programs used, at worst, right before the contenders of each round.
  /** @type {number[]} */
  const busy = [];
  for (let index = 1; index <= count; index++) {
    let busiest = 0;
    /** @type {Round} */
    const round = {};
    for (const { name, run, unit } of contenders) {
      const others = await busyShare();
      busiest = Math.max(busiest, others);
      if (others > 0.1) console.error(`round ${index}: other programs keep the processor ${percent(others)} busy`);
      try {
        round[name] = await run();
        console.error(`round ${index}: ${name}: ${round[name].toFixed(0)} ${unit}`);
      } catch (error) {
        if (interrupt.signal.aborted) throw new Error('interrupted');
        round[name] = null;
        console.error(`round ${index}: ${name} failed: ${error instanceof Error ? error.message : error}`);
      }
    }
    rounds.push(round);
    busy.push(Number(busiest.toFixed(3)));
  }
  return { rounds, busy };
}

/** @param {number} share */
const percent = (share) => `${(100 * share).toFixed(1)} %`;

/**
 * @param {readonly (number | null | undefined)[]} given
 * @returns {Spread | null} null where there is none
 */
function spread(given) {
  const sorted = given.filter((value) => typeof value === 'number').toSorted((a, b) => a - b);
  if (sorted.length === 0) return null;
  const at = (/** @type {number} */ index) => sorted[index] ?? Number.NaN;
  const middle = (at(Math.floor((sorted.length - 1) / 2)) + at(Math.ceil((sorted.length - 1) / 2))) / 2;
  return { median: middle, min: at(0), max: at(sorted.length - 1) };
}

/** @param {Spread | null} given @param {number} digits */
function show(given, digits) {
  if (given === null) return '';
  const [median, min, max] = [given.median, given.min, given.max].map((value) => value.toFixed(digits));
  return `${median} (${min} to ${max})`;
}

/**
 * Every Ganglion over the fastest PyTorch of its round, and as a share of what sgemm on as many threads would allow.
 *
 * @param {Contender[]} contenders
 * @param {readonly Round[]} rounds
 * @param {number} workers
 */
function summarise(contenders, rounds, workers) {
  return contenders.map(({ name, what, unit }) => {
    const speeds = rounds.map((round) => round[name] ?? null);
    const isGanglion = name.startsWith('ganglion');
    const ratios = rounds.map((round) => {
      const others = Object.entries(round)
        .filter(([other]) => other.startsWith('torch'))
        .map(([, speed]) => speed ?? 0);
      const own = round[name];
      return isGanglion && own != null && Math.max(0, ...others) > 0 ? own / Math.max(...others) : null;
    });
    const threads = name.startsWith('ganglion-1-') ? 1 : workers;
    const shares = rounds.map((round) => {
      const [own, limit] = [round[name], round[`sgemm-${threads}`]];
      return unit === 'images/s' && isGanglion && own != null && limit != null
        ? (own * FLOP_PER_IMAGE) / (limit * 1e9)
        : null;
    });
    return { name, what, unit, speed: spread(speeds), overPytorch: spread(ratios), ofSgemm: spread(shares) };
  });
}

/** @param {Record<string, string>[]} rows */
function printTable(rows) {
  const columns = Object.keys(rows[0] ?? {});
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (/** @type {string[]} */ cells) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  console.log(line(columns));
  console.log(line(widths.map((width) => '-'.repeat(width))));
  for (const row of rows) console.log(line(columns.map((column) => row[column] ?? '')));
}

/** Profiles of a contender; that with the middle share of replicas without work is shown. */
const PROFILES = 3;

/** @param {Contender[]} contenders */
async function profile(contenders) {
  const profiles = [];
  for (const { name, what, parts } of contenders) {
    if (!parts) continue;
    try {
      const taken = [];
      for (let i = 0; i < PROFILES; i++) taken.push(await parts());
      const idle = (/** @type {(typeof taken)[number]} */ { parts: shares }) => shares['without work'].share;
      taken.sort((a, b) => idle(a) - idle(b));
      profiles.push({ name, what, withoutWork: spread(taken.map(idle)), ...taken[Math.floor(PROFILES / 2)] });
    } catch (error) {
      if (interrupt.signal.aborted) throw new Error('interrupted');
      console.error(`profile of ${name} failed: ${error instanceof Error ? error.message : error}`);
    }
  }
  return profiles;
}

async function main() {
  const options = readOptions();
  const python = await findPython(options);
  if (python === undefined) {
    console.error(
      'PyTorch is left out: give --torch install, or --python PATH of one with test/golden/requirements.txt',
    );
  }
  const contenders = choose(contendersFor(options, python), options.only);
  const machine = await describeMachine(python);
  const { rounds, busy } = await runRounds(contenders, options.rounds);
  const figures = summarise(contenders, rounds, options.workers);
  const profiles = await profile(contenders);
  if (options.json) {
    const { steps, workers, batch, data = null } = options;
    console.log(
      JSON.stringify({
        machine,
        steps,
        workers,
        batch,
        data,
        flopPerImage: FLOP_PER_IMAGE,
        figures,
        profiles,
        rounds,
        busy,
      }),
    );
  } else {
    const { processor, cores, node, torch, commit } = machine;
    console.log(
      `\n${processor}, ${cores} cores, Node ${node}${torch ? `, PyTorch ${torch}` : ''}, commit ${commit}; batch ${options.batch},`,
    );
    console.log(
      `${options.steps} steps, ${options.rounds} rounds: median (min to max); ${FLOP_PER_IMAGE / 1e6} MFLOP an image\n`,
    );
    printTable(
      figures.map(({ name, what, unit, speed, overPytorch, ofSgemm }) => ({
        contender: what,
        name,
        speed: speed === null ? 'failed' : `${show(speed, 0)} ${unit}`,
        'over fastest PyTorch': show(overPytorch, 2),
        'of sgemm': show(ofSgemm, 2),
      })),
    );
    for (const { what, steps, stepMs, replicas, parts, withoutWork } of profiles) {
      console.log(
        `\n${what}: ${stepMs.toFixed(2)} ms a step with the profile on, over ${steps} steps; the middle one of ${PROFILES}, in which replicas were without work for ${percent(withoutWork.min)} to ${percent(withoutWork.max)}\n`,
      );
      printTable(
        Object.entries(parts).map(([part, { who, ms, share }]) => ({
          who: who === 'replicas' && replicas > 1 ? `${replicas} replicas` : who === 'replicas' ? 'replica' : who,
          part,
          'ms a step': ms.toFixed(2),
          share: percent(share),
        })),
      );
    }
  }
  if (rounds.some((round) => Object.values(round).includes(null))) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
