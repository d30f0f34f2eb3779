// The hosted workflow pins its actions by commit, and checks nothing of its own: `.ci/run` says what a change must pass.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

interface Step {
  readonly uses?: string;
  readonly run?: string;
}

it('.github/workflows/ci.yml calls .ci/run alone, with actions pinned by commit', () => {
  const text = readFileSync(new URL('../../../.github/workflows/ci.yml', import.meta.url), 'utf8');
  const { jobs, permissions } = parse(text) as { jobs: Record<string, { steps: Step[] }>; permissions: unknown };
  const steps = Object.values(jobs).flatMap((job) => job.steps);
  const actions = steps.flatMap(({ uses }) => uses ?? []);
  expect(actions.length).toBeGreaterThan(0);
  for (const action of actions) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
  expect(steps.flatMap(({ run }) => run ?? []).filter((run) => !run.startsWith('apt-get '))).toEqual(['.ci/run']);
  expect(permissions).toEqual({ contents: 'read' });
});
