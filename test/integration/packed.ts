// The package as npm packs it from a clean copy of this checkout, for the tests that install it.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { type Ended, REPOSITORY, start } from './ganglion.ts';

/** Runs a program, which must succeed. */
export async function succeed(cwd: string, file: string, ...args: string[]): Promise<Ended> {
  const ended = await start(file, args, { cwd }).ended;
  expect({ args, ...ended }).toMatchObject({ exitCode: 0 });
  return ended;
}

/** Copies what git knows or would add, with the dependencies by a link. */
export function copyRepository(copy: string): void {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
  const listed = execFileSync('git', args, { cwd: REPOSITORY, encoding: 'utf8' }).split('\0');
  for (const file of listed.filter((name) => name !== '' && existsSync(join(REPOSITORY, name)))) {
    mkdirSync(join(copy, dirname(file)), { recursive: true });
    copyFileSync(join(REPOSITORY, file), join(copy, file));
  }
  symlinkSync(join(REPOSITORY, 'node_modules'), join(copy, 'node_modules'));
}

/**
 * Packs a copy and installs it in an empty project, with npm's defaults.
 *
 * @param flags of `npm pack`
 * @returns the packed files
 */
export async function installPacked(copy: string, project: string, ...flags: string[]): Promise<string[]> {
  const { stdout } = await succeed(copy, 'npm', 'pack', '--json', '--foreground-scripts=false', ...flags);
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('[\n')));
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  await succeed(project, 'npm', 'install', '--no-audit', '--no-fund', join(copy, packed.filename));
  return packed.files.map(({ path }: { path: string }) => path);
}
