// What is made once a run is over, from its files: the animation of its samples, then the report, which shows it.
import { messageOf } from '../../shared/error.ts';
import { openStoredRun } from '../live/stored-run.ts';
import { writeAnimation } from '../run-folder/animation.ts';
import { writeReport } from './report.ts';

export interface ArtifactsOptions {
  /** Folder of the run. */
  readonly path: string;
  /** Folder of the live page's files. */
  readonly page: URL;
  /** Receives what could not be made, while the rest is. */
  readonly onFailure: (message: string) => void;
}

/**
 * Writes both; those of an earlier end are replaced.
 *
 * @returns the report's path
 * @throws GanglionError `usage` when there is no run, `checkpoint` when a file of it cannot be read, `environment` when the report
 *   cannot be written
 */
export async function writeArtifacts({ path, page, onFailure }: ArtifactsOptions): Promise<string> {
  const run = await openStoredRun(path);
  await writeAnimation(run.samples, onFailure).catch((error: unknown) => onFailure(messageOf(error)));
  return await writeReport({ run, page });
}
