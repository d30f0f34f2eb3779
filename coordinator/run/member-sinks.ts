// The sinks of a node that does not write the run: its metrics and status, which it serves over HTTP, and what it tells the first node.
import { messageOf } from '../../shared/error.ts';
import type { HttpServer } from '../http/server.ts';
import { portHere } from '../machine/rank.ts';
import type { Metrics } from '../monitoring/metrics.ts';
import { NodeTable } from '../monitoring/node-table.ts';
import { OwnReport } from '../monitoring/own-report.ts';
import type { Profile } from '../monitoring/profile.ts';
import type { StatusKeeper } from '../monitoring/status.ts';
import type { RunEvent, RunSink } from '../run-folder/run-event.ts';
import { createNodeMetrics, createProfile, createStatus, noticeSink, type ObservedNode } from './run-sinks.ts';
import { shareTrace } from './share-trace.ts';

export interface ObservedMember extends Omit<ObservedNode, 'metricsPort'> {
  /** Steps that the first node's profile has. */
  readonly profileSteps: number | null;
  readonly onNotice: (text: string) => void;
}

export class MemberSinks {
  readonly #run: ObservedMember;
  readonly #metrics: Metrics;
  readonly #status: StatusKeeper;
  readonly #own: OwnReport;
  readonly #profile: Profile | undefined;
  readonly #sinks: readonly RunSink[];
  #http: HttpServer | undefined;

  constructor(run: ObservedMember) {
    const { replicas, nodes, profileSteps: steps, onNotice } = run;
    this.#run = run;
    this.#own = new OwnReport({ replicas, metricsPort: () => this.#http?.port ?? null });
    const alone = { communicator: nodes.communicator, all: [nodes.communicator.node] };
    this.#status = createStatus(run, new NodeTable({ ...alone, own: () => this.#own.report }));
    this.#metrics = createNodeMetrics(run, { writes: false });
    this.#profile = createProfile({ ...run, profile: steps === null ? null : { path: null, steps } });
    this.#profile?.open();
    const sinks = [noticeSink(onNotice), this.#own, this.#status, this.#metrics, this.#profile];
    this.#sinks = sinks.filter((sink) => sink !== undefined);
  }

  /** Gives an event to every sink. */
  readonly emit = (event: RunEvent): void => {
    for (const sink of this.#sinks) sink.observe(event);
  };

  /** What this node has to tell the first one. */
  get tell(): () => string | undefined {
    return this.#own.tell;
  }

  /**
   * Serves metrics and status, if it can: the run does not need those of this node.
   *
   * @param resize changes the number of this node's replicas
   */
  async serve(apiToken: string | null, resize: (count: number) => void): Promise<void> {
    const { config } = this.#run;
    if (config.metricsPort === 'off') return;
    const { startHttp } = await import('../http/server.ts'); // only who serves loads Fastify
    const serving = startHttp({
      port: portHere(config.metricsPort),
      metrics: this.#metrics,
      status: () => this.#status.status,
      ...{ shards: config.shards, apiToken, reach: config, resize },
    });
    this.#http = await serving.catch((error: unknown) => {
      this.emit({ kind: 'notice', text: `no metrics of this node: ${messageOf(error)}` });
      return undefined;
    });
  }

  /** Tells the first node what was recorded for its profile. @throws GanglionError `nodes` when too few are left */
  async shareTrace(): Promise<void> {
    if (this.#profile) await shareTrace(this.#run.nodes.communicator, this.#profile);
  }

  async close(): Promise<void> {
    await this.#http?.close();
    this.#http = undefined;
  }
}
