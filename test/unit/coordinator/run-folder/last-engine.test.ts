import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { lastEngine } from '../../../../coordinator/run-folder/last-engine.ts';
import { scratchFolder } from '../../scratch.ts';

/** @param field its name: `engine`, and once `backend` */
const event = (kind: string, engine?: string, field = 'engine') =>
  `${JSON.stringify({ time: 1, step: 0, kind, text: 't', ...(engine ? { environment: { [field]: engine } } : {}) })}\n`;

it('is that of the newest start in events.jsonl, else that of summary.json, else unknown', () => {
  const run = scratchFolder();
  expect(lastEngine(run)).toBeUndefined();
  writeFileSync(join(run, 'summary.json'), '{"backend":"tfjs-wasm"}');
  expect(lastEngine(run)).toBe('tfjs-wasm');
  const events = event('start', 'kernels-avx2', 'backend') + event('resume', 'tensorflow-cpu') + event('checkpoint');
  writeFileSync(join(run, 'events.jsonl'), `${events}{"time":2,"environment":{"back`);
  expect(lastEngine(run)).toBe('tensorflow-cpu');
  writeFileSync(join(run, 'events.jsonl'), event('checkpoint'));
  expect(lastEngine(run)).toBe('tfjs-wasm');
});
