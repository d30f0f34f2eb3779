import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { javascriptUpdate, loadUpdate } from '../../../../coordinator/training/update.ts';
import { scratchFolder } from '../../scratch.ts';

/** An entry file with this code. */
function entryOf(code: string): URL {
  const path = join(scratchFolder(), 'entry.mjs');
  writeFileSync(path, code);
  return pathToFileURL(path);
}

describe('loadUpdate', () => {
  it('takes what the entry file gives, else the JavaScript', async () => {
    const failed = () => expect.unreachable();
    const kernels = await loadUpdate(entryOf("export const loadUpdate = () => ({ from: 'kernels' });"), failed);
    expect(kernels).toEqual({ from: 'kernels' });
    expect(await loadUpdate(entryOf('export const loadUpdate = () => undefined;'), failed)).toBe(javascriptUpdate);
  });

  it.each([
    ['that throws', "export function loadUpdate() { throw new Error('damaged'); }", 'damaged'],
    ['that does not load', "throw new Error('cannot be imported');", 'cannot be imported'],
  ])('tells of an entry file %s, and takes the JavaScript', async (_, code, message) => {
    const errors: unknown[] = [];
    expect(await loadUpdate(entryOf(code), (error) => errors.push(error))).toBe(javascriptUpdate);
    expect(errors).toEqual([expect.objectContaining({ message })]);
  });
});

describe('the entry file of the kernels', () => {
  const REPOSITORY = fileURLToPath(new URL('../../../..', import.meta.url));
  /** What the compiled one gives in a process of its own, and what is loaded then. */
  const load = (env: NodeJS.ProcessEnv) => {
    const code = `
      const { UPDATE_ENTRY } = await import('./dist/coordinator/commands/worker-programs.js');
      const { javascriptUpdate, loadUpdate } = await import('./dist/coordinator/training/update.js');
      const update = await loadUpdate(UPDATE_ENTRY, (error) => { throw error; });
      const { readFileSync } = await import('node:fs');
      const { Module } = await import('node:module');
      const maps = readFileSync('/proc/self/maps', 'utf8');
      console.log(JSON.stringify({
        kernels: update !== javascriptUpdate && maps.includes('ganglion_kernels.node'),
        tensorflow: /tensorflow|tfjs/.test(maps) || Object.keys(Module._cache).some((path) => path.includes('@tensorflow')),
      }));`;
    const options = { cwd: REPOSITORY, env: { ...process.env, ...env }, encoding: 'utf8' } as const;
    return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', code], options));
  };

  it('gives them where they are built, and never loads TensorFlow', () => {
    expect(load({ GANGLION_KERNELS: 'on' })).toEqual({ kernels: true, tensorflow: false });
  });

  it('gives none where they are switched off or not built', () => {
    expect(load({ GANGLION_KERNELS: 'off' })).toEqual({ kernels: false, tensorflow: false });
    expect(load({ GANGLION_CACHE: scratchFolder() })).toEqual({ kernels: false, tensorflow: false });
  });
});
