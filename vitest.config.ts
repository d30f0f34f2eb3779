import { defineConfig } from 'vitest/config';

// Two files at a time: training runs share two cores, but many tests wait more than they compute. No test takes time as proof.
export default defineConfig({
  test: {
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 30_000 } }, // the machine may be busy: what comes at all has come in time
    pool: 'forks',
    env: { CUDA_VISIBLE_DEVICES: '' }, // tests ask for a GPU by name: on a machine that has one they would measure another engine
    projects: [
      { extends: true, test: { name: 'tests', include: ['test/{unit,integration}/**/*.test.ts'] } },
      {
        extends: true,
        test: { name: 'slow', include: ['test/slow/**/*.test.ts'], testTimeout: 1_800_000, hookTimeout: 1_800_000 },
      },
    ],
  },
});
