// Replicas that fail in every way, by plan: each is named with its shard and the reason, replaced, and its shard computed again. What
// cannot be repaired leaves a checkpoint, and the run goes on from it. The hashes of every fault: ../slow/fault-table.test.ts; their memory:
// ../slow/leaks.test.ts.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Ended, oneTo, recordsOf, SMALL, scratchFolder, startGanglion, stepsOf, summaryOf } from './ganglion.ts';
import { expectNoneLeft, markOf } from './left-behind.ts';

const scratch = scratchFolder('faults');
const STEPS = 6;
const ISOLATIONS = ['thread', 'process'] as const;

interface Trained extends Ended {
  readonly run: string;
  /** Lines that report a loss. */
  readonly lost: readonly string[];
}

/** Trains a few steps with faults; later flags win. Leaves no process. */
async function train(name: string, faults: readonly object[], ...flags: string[]): Promise<Trained> {
  const run = scratch(name);
  const plan = scratch(`${name}.json`);
  writeFileSync(plan, JSON.stringify(faults));
  const steps = ['--latent', '16', '--steps', String(STEPS), '--workers', '2'];
  const args = ['train', ...SMALL, ...steps, ...flags, '--fault', plan, '--run', run];
  const ended = await startGanglion(args, { env: markOf(run) }).ended;
  await expectNoneLeft(run);
  return { ...ended, run, lost: ended.stdout.split('\n').filter((line) => / failed on step /.test(line)) };
}

let expected: unknown;
beforeAll(async () => {
  const { run } = await train('quiet', []);
  expected = summaryOf(run).stateSha256;
});

/** Fails unless the run came through with the weights of the quiet one. */
function expectSame({ exitCode, stderr, run }: Trained): void {
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(summaryOf(run)).toMatchObject({ step: STEPS, stateSha256: expected, lostSteps: 0, repeatedSteps: 0 });
  expect(stepsOf(run)).toEqual(oneTo(STEPS));
}

/** Goes on without faults. */
async function resume(run: string): Promise<void> {
  const { exitCode, stderr } = await startGanglion(['train', '--resume', run]).ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stepsOf(run)).toEqual(oneTo(STEPS));
}

describe.each(ISOLATIONS)('a replica in a %s that', (isolation) => {
  const killed = isolation === 'thread' ? /: ended with exit code 137/ : /: was ended by SIGKILL/;
  it.each([
    ['throws', 'throw', 'generator', 'error', /: injected fault /],
    ['is killed', 'kill', 'fake', 'exit', killed],
    ['gives an answer that is none', 'corrupt', 'real', 'frame', /malformed/],
    ['alone gives NaN', 'nan', 'generator', 'range', /: \S+ is NaN, expected a finite value below \d+, where others/],
    ['gives other bits than two others', 'flip', 'fake', 'audit', /: its result has other bits than two others/],
  ])('%s once is named, replaced, and changes no weight', async (_, kind, pass, reason, message) => {
    const flags = ['--isolation', isolation, ...(kind === 'flip' ? ['--audit', '1'] : [])];
    const trained = await train(`${isolation}-${kind}`, [{ kind, step: 2, pass, shard: 1 }], ...flags);
    expectSame(trained);
    expect(trained.lost).toHaveLength(1);
    const phase = pass === 'generator' ? 'generator phase' : `discriminator phase on ${pass} images`;
    // A process that is killed, or whose channel breaks, may take the answer before along, and is then named with that shard.
    const place =
      isolation === 'process' && (kind === 'kill' || kind === 'corrupt') ? 'step \\d, .*' : `step 2, ${phase}, shard 1`;
    const line = new RegExp(`^replica [01] failed on ${place}: .* \\(${reason}\\); its shards go to`);
    expect(trained.lost[0]).toMatch(line);
    expect(trained.lost[0]).toMatch(message);
    expect(summaryOf(trained.run)).toMatchObject({ restarts: 1 });
  });
});

describe('a NaN that two replicas agree on', () => {
  // Everywhere: on a busy machine a straggler's shard goes to a third replica, too.
  const bad = { kind: 'nan', pass: 'fake', shard: 3, times: 99 };

  it.each([
    ['2', 'thread'],
    ['4', 'process'],
    ['1', 'thread'],
  ])('skips the update and loses no replica: %s workers, %s', async (workers, isolation) => {
    const flags = ['--workers', workers, '--isolation', isolation];
    const { run, exitCode, stdout, lost } = await train(`bad-${workers}`, [{ ...bad, step: 3 }], ...flags);
    expect({ exitCode, lost }).toEqual({ exitCode: 0, lost: [] });
    expect(stdout).toMatch(
      /update skipped: step 3, discriminator phase on fake images, shard 3: \S+ is NaN, expected .* \(replicas \d and \d agree\)/,
    );
    const skipped = recordsOf(run).filter(({ gradientNormD }) => gradientNormD === null);
    expect(skipped.map(({ step }) => step)).toEqual([4]);
    // Which update was left out is part of the weights, and who found it is not.
    expect(summaryOf(run).stateSha256).not.toBe(expected);
    expect(summaryOf(run).stateSha256).toBe(summaryOf(scratch('bad-2')).stateSha256);
  });

  it('too often in a row ends the run with code 3, the place and a checkpoint', async () => {
    const faults = [1, 2, 3].map((step) => ({ ...bad, step }));
    const { run, exitCode, stdout, stderr } = await train('skipped', faults, '--max-skipped', '2');
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr: expect.stringMatching(
        /^ganglion: 3 updates in a row skipped .*: step 3, discriminator phase on fake images, shard 3: [^\n]*\n$/,
      ),
    });
    expect(stdout).toContain(`gave up at step 4 of ${STEPS}; resume with --resume ${run}`);
    expect(readFileSync(join(run, 'report.html'), 'utf8')).toContain('ended: 3 updates in a row skipped');
    await resume(run);
  });
});

describe('gives up with code 3 and a checkpoint from which the run goes on to the same weights', () => {
  it.each(ISOLATIONS)('when five replicas are lost on one shard: %s', async (isolation) => {
    const faults = [{ kind: 'throw', step: 3, pass: 'generator', shard: 2, times: 99 }];
    const trained = await train(`five-${isolation}`, faults, '--isolation', isolation);
    const { run, exitCode, stderr, stdout, lost } = trained;
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr: expect.stringMatching(
        /^ganglion: 5 replicas lost on one shard, expected at most 4 \(--max-shard-losses\): replica \d failed on step 3, generator phase, shard 2: injected fault\n$/,
      ),
    });
    expect(lost).toHaveLength(5);
    expect(stdout).toContain(`gave up at step 3 of ${STEPS}`);
    await resume(run);
    expect(summaryOf(run)).toMatchObject({ stateSha256: expected, lostSteps: 0, repeatedSteps: 0 });
  });

  it('when more replicas are lost than --max-restarts allows, with the reasons', async () => {
    const faults = [1, 2, 3].map((step) => ({ kind: 'throw', step, pass: 'real', shard: 0 }));
    const { run, exitCode, stderr } = await train('restarts', faults, '--max-restarts', '2');
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr: expect.stringMatching(
        /^ganglion: 3 replicas lost within 60 s, expected at most 2 \(--max-restarts\): (replica \d failed on step \d, [^;]*; ){2}replica [^\n]*\n$/,
      ),
    });
    await resume(run);
    expect(summaryOf(run)).toMatchObject({ stateSha256: expected, lostSteps: 0, repeatedSteps: 0 });
  });
});

// Deadlines are long, and nothing computes while they pass.
describe.concurrent('time', () => {
  it.each(ISOLATIONS)('makes an answer after the deadline worthless: %s', async (isolation) => {
    const faults = [{ kind: 'delay', step: 2, pass: 'fake', shard: 1, ms: 12_000 }];
    const trained = await train(`late-${isolation}`, faults, '--workers', '1', '--isolation', isolation);
    expectSame(trained);
    expect(trained.lost).toEqual([expect.stringMatching(/shard 1: gave no answer in 10\d{3} ms \(deadline\)/)]);
  });

  it('spent frozen shows in a process within seconds: it has no heartbeat', async () => {
    const faults = [{ kind: 'freeze', step: 2, pass: 'fake', shard: 1 }];
    const trained = await train('frozen', faults, '--workers', '1', '--isolation', 'process');
    expectSame(trained);
    expect(trained.lost).toEqual([expect.stringMatching(/ \(heartbeat\); /)]); // not the deadline, which comes after 10 s
  });

  it('is not spent on waiting for a frozen thread while there is another, which leaves it behind at the end', async () => {
    const faults = [{ kind: 'freeze', step: 2, pass: 'generator', shard: 0 }];
    const trained = await train('stuck', faults);
    expectSame(trained);
    // On a busy machine an earlier one may have been told; then this one is counted.
    expect(trained.stdout).toMatch(
      /replica \d is a straggler: step 2, generator phase, shard 0 was given to a second replica|more shards of stragglers were given/,
    );
    expect(summaryOf(trained.run)).toMatchObject({ restarts: 0 });
  });
});
