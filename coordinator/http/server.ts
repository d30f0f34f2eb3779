// What the coordinator serves over HTTP: /metrics for Prometheus, /healthz for a supervisor, /api/status for people and programs;
// where the run lets it, /api/workers to change the number of replicas; and the live page, in live/.
import type { FastifyInstance } from 'fastify';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import { CONTENT_TYPES, formatFor, toOpenMetrics } from '../monitoring/exposition.ts';
import type { Metrics } from '../monitoring/metrics.ts';
import type { Status } from '../monitoring/status.ts';
import { createServer, type Reach } from './guards.ts';
import type { Lending, LendRoutesOptions } from './lend-routes.ts';
import { addLiveRoutes, type LiveRoutesOptions } from './live-routes.ts';
import { atMostEvery } from './paced-answers.ts';
import { addWorkersRoute } from './workers-route.ts';

/** However many scrape: to write the metrics takes the coordinator a millisecond or two. */
const METRICS_INTERVAL_MS = 250;

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface HttpOptions {
  /** 0 picks a free one. */
  readonly port: number;
  readonly metrics: Metrics;
  readonly status: () => Status;
  readonly shards: number;
  readonly apiToken: string | null;
  /** Asks for another number of replicas; without it, there is no /api/workers. */
  readonly resize: ((count: number) => void) | undefined;
  /** The live page; without it, there is none. */
  readonly live?: LiveRoutesOptions;
  /** Pages that lend their processors; without it, none can. */
  readonly lending?: Lending | undefined;
  /** Default: this machine's own names, without a path. */
  readonly reach?: Reach;
}

/**
 * Listens on all interfaces, as Prometheus exporters do; routes that change the run check who may.
 *
 * @throws GanglionError `environment` when the port is taken
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const {
    port,
    metrics,
    status,
    shards,
    apiToken,
    resize,
    live,
    lending,
    reach = { allowedHosts: null, basePath: null },
  } = options;
  const server = createServer(reach);
  // One text for both formats: who reads them by turns must see no counter fall.
  const texts = atMostEvery(METRICS_INTERVAL_MS, async () => {
    const text = await metrics.text();
    return { text: Buffer.from(text), openmetrics: Buffer.from(toOpenMetrics(text)) };
  });
  server.get('/metrics', async ({ headers }, reply) => {
    const format = formatFor(headers.accept);
    return reply
      .type(CONTENT_TYPES[format])
      .header('vary', 'accept')
      .send((await texts())[format]);
  });
  server.get('/healthz', async (_, reply) => {
    const { healthy, state } = status();
    return reply.code(healthy ? 200 : 503).send({ status: healthy ? 'ok' : 'stalled', state });
  });
  server.get('/api/status', async () => status());
  if (resize) addWorkersRoute(server, { resize, shards, apiToken });
  const release = live && addLiveRoutes(server, live);
  const endLending = lending && (await addLending(server, lending, { apiToken, reach }));
  const bound = await listen(server, {
    port,
    host: '::',
    hint: 'choose another with --metrics-port N, or --metrics-port off',
  });
  return {
    port: bound,
    async close() {
      await release?.();
      endLending?.();
      await server.close();
    },
  };
}

/** Only who lets pages lend loads what that takes. */
async function addLending(
  server: FastifyInstance,
  lending: Lending,
  options: Pick<LendRoutesOptions, 'apiToken' | 'reach'>,
): Promise<() => void> {
  const { addLendRoutes } = await import('./lend-routes.ts');
  return addLendRoutes(server, { lending, ...options });
}

export interface ListenOptions {
  /** 0 picks a free one. */
  readonly port: number;
  /** Address to listen on; `::` is every one. */
  readonly host: '::' | '127.0.0.1';
  /** What to do when the port is taken. */
  readonly hint: string;
}

/** @returns the port @throws GanglionError `environment` when the port is taken */
export async function listen(server: FastifyInstance, options: ListenOptions): Promise<number> {
  const { port, host } = options;
  try {
    await server.listen({ port, host });
  } catch (error) {
    if (systemErrorCode(error) === 'EAFNOSUPPORT') await listenOn4(server, options);
    else throw toPortError(options, error);
  }
  const address = server.server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

/** For machines without IPv6. */
async function listenOn4(server: FastifyInstance, options: ListenOptions): Promise<void> {
  try {
    await server.listen({ port: options.port, host: '0.0.0.0' });
  } catch (error) {
    throw toPortError(options, error);
  }
}

function toPortError({ port, hint }: ListenOptions, error: unknown): GanglionError {
  const reason = systemErrorCode(error) === 'EADDRINUSE' ? 'it is in use' : messageOf(error);
  return new GanglionError('environment', `cannot listen on port ${port}: ${reason}; ${hint}`, { cause: error });
}
