// `ganglion view`: shows a run that does not train in the live page, read-only, from its files.

import { printLine } from '../../shared/print.ts';
import { createServer, type Reach } from '../http/guards.ts';
import { addLiveRoutes } from '../http/live-routes.ts';
import { listen } from '../http/server.ts';
import { openStoredRun } from '../live/stored-run.ts';
import type { Signals } from './signals.ts';

export interface ViewRequest extends Reach {
  /** Folder of the run. */
  readonly path: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Folder of the page's files. */
  readonly page: URL;
  readonly signals: Signals;
}

/** Only this machine can see it. */
const HOST = '127.0.0.1';

/** Serves until a signal asks for the end; a second one ends the process. @throws GanglionError */
export async function viewCommand({ path, port, page, signals, ...reach }: ViewRequest): Promise<void> {
  const run = await openStoredRun(path);
  const server = createServer(reach);
  const release = addLiveRoutes(server, { run, page });
  const ended = new Promise<void>((resolve) => {
    const leave = signals.take(() => {
      leave();
      resolve();
    });
  });
  const bound = await listen(server, { port, host: HOST, hint: 'choose another with --port N' });
  printLine(process.stdout, `${run.info.name}: http://localhost:${bound}/ (Ctrl-C ends)`);
  await ended;
  await release();
  await server.close();
}
