// The recipes of docs/unattended.md and docker/compose.yml, as far as they go without their servers: they are parsed, what they run is a
// command line that this version understands, and Slurm's script is run with stand-ins for its programs.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { toCacheFolder } from '../../shared/cache-folder.ts';
import { EXIT_CODES } from '../../shared/exit-codes.ts';
import { tableOf } from '../unit/docs/markdown-tables.ts';
import { isInstalled, MAIN, oneTo, REPOSITORY, scratchFolder, start, stepsOf, succeed, summaryOf } from './ganglion.ts';

const scratch = scratchFolder('recipes');
const DOCUMENT = 'docs/unattended.md';
const { goOn, mistake, gaveUp } = EXIT_CODES;

/** The block of code below a heading. */
function recipeOf(heading: string): string {
  const text = readFileSync(join(REPOSITORY, DOCUMENT), 'utf8');
  const [, block] = new RegExp(`^### ${heading}\n[^#]*?\`\`\`\\w+\n(.*?)^\`\`\``, 'ms').exec(text) ?? [];
  if (block === undefined) throw new Error(`${DOCUMENT}: expected a recipe for ${heading}`);
  return block;
}

/** What `ganglion ARGS` would train. */
async function planOf(args: readonly string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await succeed([...args, '--dry-run'], { cwd: scratch() }));
}

it('the table of exit codes is that of the program', () => {
  const codes = tableOf(DOCUMENT, 'exit code').map((row) => row['exit code']);
  expect(codes).toEqual([...Object.values(EXIT_CODES).map(String), '128 + n']);
});

it('Kubernetes: the job goes on after 75 and fails for good after 2 and 3', async () => {
  const { template, podFailurePolicy } = parse(recipeOf('Kubernetes')).spec;
  expect(podFailurePolicy.rules.slice(0, 2)).toEqual([
    { action: 'FailJob', onExitCodes: { operator: 'In', values: [mistake, gaveUp] } },
    { action: 'Ignore', onExitCodes: { operator: 'In', values: [goOn] } },
  ]);
  expect(template.spec.restartPolicy).toBe('Never'); // a policy for failures needs it
  const [{ args, volumeMounts }] = template.spec.containers;
  expect(volumeMounts.map(({ name }: { name: string }) => name)).toEqual(
    template.spec.volumes.map(({ name }: { name: string }) => name),
  );
  expect(await planOf(args)).toMatchObject({ run: '/data/runs/a', epochs: 300 });
});

describe('systemd', () => {
  const unit = recipeOf('systemd');
  const value = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';

  it('goes on after 75 and ends after 2 and 3', async () => {
    expect(value('RestartForceExitStatus')).toBe(String(goOn));
    expect(value('RestartPreventExitStatus')).toBe(`${mistake} ${gaveUp}`);
    const [env, program, ...args] = value('ExecStart').split(' ');
    expect([env, program]).toEqual(['/usr/bin/env', 'ganglion']);
    expect(await planOf(args)).toMatchObject({ run: '/var/lib/ganglion/a', epochs: 300 });
  });

  it.skipIf(!isInstalled('systemd-analyze', '--version'))('is a unit that systemd understands', async () => {
    writeFileSync(scratch('ganglion.service'), unit);
    const { exitCode, stderr } = await start('systemd-analyze', ['verify', scratch('ganglion.service')]).ended;
    expect({ exitCode, stderr: stderr.split('\n').filter((line) => line.includes('ganglion.service')) }).toEqual({
      exitCode: 0,
      stderr: [],
    });
  });
});

it('compose: a run of more than some minutes, and the same one at the next start', async () => {
  const { trainer } = parse(readFileSync(join(REPOSITORY, 'docker/compose.yml'), 'utf8')).services;
  const args: string[] = trainer.command.map((text: string) => text.replace(/\$\{\w+:-(\w+)\}/, '$1'));
  expect(args).toContain('--resume=auto');
  expect(await planOf(args)).toMatchObject({ run: scratch('runs', 'compose'), totalSteps: 78_000 });
});

it('Slurm: USR1 before the limit requeues the job, which goes on and ends', async () => {
  const program = (name: string, ...lines: readonly string[]): void => {
    writeFileSync(scratch('bin', name), ['#!/bin/sh', ...lines, ''].join('\n'));
    chmodSync(scratch('bin', name), 0o755);
  };
  mkdirSync(scratch('bin'));
  program('ganglion', `exec ${process.execPath} ${MAIN} "$@"`);
  // As Slurm does, it signals what it has started, and not the script; here in the midst of the first job.
  program(
    'srun',
    'while [ "$1" != ganglion ]; do shift; done',
    '"$@" & pid=$!',
    `if [ ! -e requeued ]; then while ! grep -q '"step":3,' "$HOME/runs/a/metrics.jsonl"; do sleep 0.05; done; kill -USR1 $pid; fi`,
    'wait $pid',
  );
  program('scontrol', 'echo "$@" >> requeued');
  const small = recipeOf('Slurm').replace('--epochs 300', '--steps 30 --batch 16 --workers 1');
  writeFileSync(scratch('job.sh'), small);
  const job = () =>
    start('sh', [scratch('job.sh')], {
      cwd: scratch(),
      env: {
        ...{ HOME: scratch(), SLURM_JOB_ID: '7', SLURM_CPUS_PER_TASK: '8', GANGLION_CACHE: toCacheFolder() },
        PATH: [scratch('bin'), process.env.PATH].join(delimiter),
      },
    }).ended;
  expect((await job()).exitCode).toBe(goOn);
  expect(readFileSync(scratch('requeued'), 'utf8')).toBe('requeue 7\n');
  expect(await job()).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('resuming at step ') });
  expect(readFileSync(scratch('requeued'), 'utf8')).toBe('requeue 7\n');
  expect(summaryOf(scratch('runs', 'a'))).toMatchObject({ step: 30 });
  expect(stepsOf(scratch('runs', 'a'))).toEqual(oneTo(30));
  expect(existsSync(scratch('runs', 'a', 'report.html'))).toBe(true);
});
