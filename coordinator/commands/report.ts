// `ganglion report`: writes the report of a run again, from its files: for a run that crashed, or is older than reports.
import { resolve } from 'node:path';
import { printLine } from '../../shared/print.ts';
import { lockRunFolder } from '../files/run-lock.ts';
import { writeArtifacts } from '../report/artifacts.ts';
import { checkIsRun } from '../run-folder/run-folder.ts';

export interface ReportRequest {
  /** Folder of the run. */
  readonly path: string;
  /** Folder of the live page's files. */
  readonly page: URL;
}

/** Runs the command. @throws GanglionError */
export async function reportCommand({ path, page }: ReportRequest): Promise<void> {
  const onFailure = (message: string): void => {
    printLine(process.stderr, `not in the report: ${message}`);
  };
  const folder = resolve(path);
  checkIsRun(path); // before a lock is put there
  const onWait = (message: string): void => printLine(process.stderr, `ganglion: ${message}`);
  const lock = await lockRunFolder(folder, { onWait });
  try {
    const written = await writeArtifacts({ path: folder, page, onFailure });
    printLine(process.stdout, `report: ${written}`);
  } finally {
    lock.release();
  }
}
