// Opens the log of a run's steps where this process begins.
import { JsonLines } from '../files/json-lines.ts';
import type { RunFolder } from '../run-folder/run-folder.ts';
import { stepOf, toStepLog } from '../run-folder/step-log.ts';
import type { StepRecord } from '../training/trainer.ts';
import type { RunHost } from './run-plan.ts';

/**
 * Steps after the checkpoint, done before a crash, are done again: their records give way. Those that a lost node has not logged are logged.
 *
 * @returns the log, and the steps that it lacked
 * @throws GanglionError `environment`
 */
export async function openStepLog(
  { metrics }: RunFolder,
  { firstStep, batch, missed = [] }: { readonly firstStep: number; readonly batch: number } & Pick<RunHost, 'missed'>,
): Promise<{ readonly log: JsonLines; readonly caughtUp: readonly StepRecord[] }> {
  let logged = 0;
  const log = await JsonLines.open(metrics, (record) => {
    const step = stepOf(record);
    if (step <= firstStep) logged = step;
    return step <= firstStep;
  });
  const caughtUp = missed.filter(({ step }) => step > logged);
  for (const record of caughtUp) log.append(toStepLog(record, batch));
  return { log, caughtUp };
}
