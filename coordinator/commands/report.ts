// `ganglion report`: writes the report of a run again, from its files: for a run that crashed, or is older than reports.
import { resolve } from 'node:path';
import { printLine } from '../../shared/print.ts';
import { writeArtifacts } from '../report/artifacts.ts';

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
  const written = await writeArtifacts({ path: resolve(path), page, onFailure });
  printLine(process.stdout, `report: ${written}`);
}
