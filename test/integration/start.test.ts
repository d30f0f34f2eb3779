// start.mjs, by which the scripts of package.json run: it compiles what has changed, and only then.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { expect, it } from 'vitest';
import { REPOSITORY, scratchFolder, start } from './ganglion.ts';

const scratch = scratchFolder('start');

it('compiles at the first start, after a change, and again after an error; else it does not run the compiler', async () => {
  for (const folder of ['coordinator', 'workers', 'shared', 'bin']) mkdirSync(scratch(folder));
  for (const name of ['start.mjs', 'tsconfig.json']) copyFileSync(join(REPOSITORY, name), scratch(name));
  for (const name of ['package.json', 'package-lock.json']) writeFileSync(scratch(name), '{ "type": "module" }');
  writeFileSync(scratch('shared/text.ts'), 'export const text: string = "one";\n');
  const main = "import { text } from '../shared/text.ts';\nconsole.log(text, ...process.argv.slice(2));\n";
  writeFileSync(scratch('coordinator/main.ts'), main);
  const compiler = join(REPOSITORY, 'node_modules', '.bin', 'tsc');
  writeFileSync(scratch('bin/tsc'), `#!/bin/sh\necho x >> ${scratch('calls')}\nexec ${compiler} "$@" --types ''\n`);
  chmodSync(scratch('bin/tsc'), 0o755);
  const begin = (...args: string[]) =>
    start(process.execPath, ['start.mjs', ...args], {
      cwd: scratch(),
      env: { PATH: [scratch('bin'), process.env.PATH].join(delimiter) },
    });
  const run = (...args: string[]) => begin(...args).ended;
  const calls = () => (existsSync(scratch('calls')) ? readFileSync(scratch('calls'), 'utf8').length / 2 : 0);

  writeFileSync(scratch('coordinator/main.ts'), main.replace('console', '// @ts-ignore\nconsole'));
  expect(await run('a', '--b=1')).toMatchObject({ exitCode: 0, stdout: 'one a --b=1\n' });
  expect(await run()).toMatchObject({ exitCode: 0, stdout: 'one\n' });
  expect(calls()).toBe(1);

  writeFileSync(scratch('shared/text.ts'), 'export const text: string = "two";\n');
  expect(await run()).toMatchObject({ exitCode: 0, stdout: 'two\n' });
  expect(calls()).toBe(2);

  // Another file in its place, with an older time, as an archive leaves it.
  writeFileSync(scratch('old.ts'), 'export const text: string = "old";\n');
  utimesSync(scratch('old.ts'), 1, 1);
  renameSync(scratch('old.ts'), scratch('shared/text.ts'));
  expect(await run()).toMatchObject({ exitCode: 0, stdout: 'old\n' });
  expect(calls()).toBe(3);

  // Signals while the compiler runs: no debugger, and a closed terminal is none where there is no terminal.
  const listening = `#!/bin/sh\necho compiling\nsleep 1\nexec ${compiler} "$@" --types ''\n`;
  for (const [signal, exitCode] of [
    ['SIGUSR1', 75],
    ['SIGHUP', 0],
  ] as const) {
    writeFileSync(scratch('bin/tsc'), listening);
    writeFileSync(scratch('shared/text.ts'), `export const text: string = "${signal}";\n`);
    const running = begin();
    await running.said(/compiling/);
    running.child.kill(signal);
    expect(await running.ended).toMatchObject({ exitCode, stderr: '' });
  }
  writeFileSync(scratch('bin/tsc'), `#!/bin/sh\necho x >> ${scratch('calls')}\nexec ${compiler} "$@" --types ''\n`);

  writeFileSync(scratch('shared/text.ts'), 'export const text: string = 3;\n');
  for (const attempt of [4, 5]) {
    const { exitCode, stdout } = await run();
    expect(exitCode).not.toBe(0);
    expect(stdout).toMatch(/shared\/text\.ts.*error TS2322/);
    expect(calls()).toBe(attempt);
  }
});

it('says in a line that there is no compiler, and runs what was compiled before', async () => {
  const folder = scratch('bare');
  for (const name of ['coordinator', 'workers', 'shared', 'dist/coordinator']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  for (const name of ['start.mjs', 'tsconfig.json']) copyFileSync(join(REPOSITORY, name), join(folder, name));
  for (const name of ['package.json', 'package-lock.json']) writeFileSync(join(folder, name), '{ "type": "module" }');
  const run = () => start(process.execPath, [join(folder, 'start.mjs')], { cwd: '/', env: { PATH: '/nowhere' } }).ended;
  const line = /^ganglion: nothing is compiled, and there is no compiler \(.*\); get it with: npm ci --include=dev\n$/;
  expect(await run()).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(line) });
  writeFileSync(join(folder, 'dist/coordinator/main.js'), "console.log('before');\n");
  for (let i = 0; i < 2; i++) {
    const { exitCode, stdout, stderr } = await run();
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'before\n' });
    expect(stderr).toMatch(/^ganglion: what was compiled before runs, as there is no compiler .*\n$/);
  }
});

it("a clone gets its compiler where NODE_ENV is production: npm's configuration says so", () => {
  const env = { ...process.env, NODE_ENV: 'production', npm_config_userconfig: '/dev/null' };
  const include = execFileSync('npm', ['config', 'get', 'include'], { cwd: REPOSITORY, env, encoding: 'utf8' });
  expect(include.trim()).toBe('dev');
});
