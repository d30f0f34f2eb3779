// Where the time of a step goes, from a profile (train --profile): milliseconds a step by part.
import { readFileSync } from 'node:fs';

/** @typedef {{ name: string, ph: string, ts: number, dur: number, tid: number, args: Record<string, any> }} TraceEvent */

/**
 * @param {string} path
 * @returns {{ steps: number, stepMs: number, replicas: number, parts: Record<string, { who: 'replicas' | 'coordinator', ms: number,
 *   share: number }> }} `ms` of all replicas together; `share` of the time of all replicas, or of the coordinator's thread
 */
export function partsOf(path) {
  /** @type {TraceEvent[]} */
  const events = JSON.parse(readFileSync(path, 'utf8'));
  const lanes = new Map(events.filter(({ name }) => name === 'thread_name').map(({ tid, args }) => [args.name, tid]));
  const replicas = [...lanes].filter(([name]) => name.startsWith('replica')).map(([, tid]) => tid);
  const spansOf = (tid) => events.filter((event) => event.ph === 'X' && event.tid === tid);
  const total = (spans) => spans.reduce((sum, { dur }) => sum + dur, 0) / 1000;

  const steps = spansOf(lanes.get('steps'));
  const wallMs = total(steps);
  const passes = { pixels: 0, noise: 0, 'forward, backward': 0, copy: 0 };
  for (const tid of replicas) {
    let pass = '';
    for (const { name, dur } of spansOf(tid)) {
      if (name === 'prepare') passes[pass === 'real' ? 'pixels' : 'noise'] += dur / 1000;
      else if (name === 'compute' || name === 'precompute') passes['forward, backward'] += dur / 1000;
      else if (name === 'copy') passes.copy += dur / 1000;
      else pass = name;
    }
  }
  const busy = Object.values(passes).reduce((sum, ms) => sum + ms, 0);
  const spans = spansOf(lanes.get('coordinator'));
  const own = (part) => total(spans.filter(({ name }) => name === part));
  const loop = (key) => steps.reduce((sum, { args }) => sum + args[key], 0) / 1000;
  const coordinator = { data: own('data'), sum: own('sum'), Adam: own('adam'), observers: own('commit') };
  const known = Object.values(coordinator).reduce((sum, ms) => sum + ms, 0);
  const coordinatorParts = { ...coordinator, messages: Math.max(0, loop('active') - known), wait: loop('idle') };

  const parts = {};
  const add = (who, name, ms, of) => {
    parts[name] = { who, ms: ms / steps.length, share: ms / of };
  };
  for (const [name, ms] of Object.entries(passes)) add('replicas', name, ms, wallMs * replicas.length);
  add('replicas', 'without work', wallMs * replicas.length - busy, wallMs * replicas.length);
  for (const [name, ms] of Object.entries(coordinatorParts)) add('coordinator', name, ms, wallMs);
  return { steps: steps.length, stepMs: wallMs / steps.length, replicas: replicas.length, parts };
}
