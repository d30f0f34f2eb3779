// `ganglion data`: brings the four files of full MNIST into a folder.
import { printLine } from '../../shared/print.ts';
import { downloadMnist } from '../data/download.ts';

export interface DataRequest {
  readonly output: string;
  /** Base URLs to try instead of the public mirrors. */
  readonly mirrors: readonly string[] | undefined;
}

/** Runs the command. @throws GanglionError */
export async function dataCommand({ output, mirrors }: DataRequest): Promise<void> {
  const { downloaded, kept } = await downloadMnist(output, {
    ...(mirrors === undefined ? {} : { mirrors }),
    onNotice: (line) => printLine(process.stderr, `ganglion: ${line}`),
  });
  printLine(process.stdout, `MNIST is in ${output}: ${downloaded.length} files fetched, ${kept.length} already there`);
  printLine(process.stdout, `train on it with --data ${output}`);
}
