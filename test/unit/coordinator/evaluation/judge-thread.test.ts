import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { createJudgeThread } from '../../../../coordinator/evaluation/judge-thread.ts';
import type { JudgeJob } from '../../../../shared/evaluation.ts';
import { scratchFolder } from '../../scratch.ts';

it('sets variables of the process, which native libraries read', async () => {
  const entry = join(scratchFolder(), 'judge.mjs');
  const body = "process.env.GANGLION_TEST_JUDGE = 'set'; return { ok: true, figures: {} };";
  writeFileSync(entry, `export default () => { ${body} }`);
  const thread = createJudgeThread(pathToFileURL(entry));
  const job: Partial<JudgeJob> = {};
  await thread.judge(job as JudgeJob);
  expect(process.env.GANGLION_TEST_JUDGE).toBe('set');
  delete process.env.GANGLION_TEST_JUDGE;
  await thread.close();
});
