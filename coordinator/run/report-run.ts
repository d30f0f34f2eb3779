// What a run leaves behind for people to look at, once it is over.
import { messageOf } from '../../shared/error.ts';
import type { Programs } from './programs.ts';

/** Writes animation and report. Checkpoint and summary are on disk: a failed report prints a warning, and the run still succeeds. */
export async function reportRun(
  path: string,
  { page }: Pick<Programs, 'page'>,
  notice: (text: string) => void,
): Promise<void> {
  const onFailure = (message: string): void => notice(`not in the report: ${message}`);
  try {
    const { writeArtifacts } = await import('../report/artifacts.ts');
    notice(`report: ${await writeArtifacts({ path, page, onFailure })}`);
  } catch (error) {
    notice(`the report was not written: ${messageOf(error)}`);
  }
}
