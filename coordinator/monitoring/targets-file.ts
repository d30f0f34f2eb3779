// targets.json: where several nodes of a run serve their metrics, as Prometheus reads it (file_sd_configs). It is there from when the first
// has told that until the run ends; a process that is killed leaves it to the next.
// https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config
import { messageOf } from '../../shared/error.ts';
import { removeFileSync } from '../files/atomic-file.ts';
import type { RunEvent, RunSink } from '../run-folder/run-event.ts';
import { writeJson } from '../run-folder/run-folder.ts';
import type { NodeTable } from './node-table.ts';

export interface TargetsFileOptions {
  readonly path: string;
  readonly table: Pick<NodeTable, 'nodes'>;
  /** Called when the file cannot be written; the run goes on. */
  readonly onFailure: (message: string) => void;
}

export class TargetsFile implements RunSink {
  readonly #options: TargetsFileOptions;
  /** What it has, or would have. */
  #written = '';

  constructor(options: TargetsFileOptions) {
    this.#options = options;
  }

  /** A lost node stays, but for one that was lost before this node wrote: that it does not answer is seen by Prometheus, too. */
  observe(event: RunEvent): void {
    if (event.kind !== 'told') return;
    const { path, table, onFailure } = this.#options;
    const targets = table.nodes.flatMap(({ host, metricsPort }) =>
      metricsPort === null ? [] : [`${host}:${metricsPort}`],
    );
    if (targets.join() === this.#written) return;
    this.#written = targets.join();
    try {
      writeJson(path, [{ targets }]);
    } catch (error) {
      onFailure(messageOf(error));
    }
  }

  close(): void {
    if (this.#written === '') return;
    try {
      removeFileSync(this.#options.path);
    } catch {
      // The next process that has the folder removes it.
    }
  }
}
