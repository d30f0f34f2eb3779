import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { describeNoWasmMemory } from '../../../shared/wasm-memory.ts';

it('is there on this machine', () => {
  expect(describeNoWasmMemory()).toBeUndefined();
});

it('is not there where addresses are scarce, but with the flag that the line names', () => {
  const file = fileURLToPath(new URL('../../../dist/shared/wasm-memory.js', import.meta.url));
  const lines = `import { describeNoWasmMemory } from ${JSON.stringify(file)}; console.log(describeNoWasmMemory());`;
  const run = (flags: string[]) => {
    const node = [process.execPath, ...flags, '--input-type=module', '--eval', lines];
    return execFileSync('sh', ['-c', 'ulimit -v 8000000 && exec "$@"', 'sh', ...node], { encoding: 'utf8' }).trim();
  };
  expect(run([])).toMatch(/^WebAssembly gets no memory, .*ulimit -v.*--disable-wasm-trap-handler$/);
  expect(run(['--disable-wasm-trap-handler'])).toBe('undefined');
});
