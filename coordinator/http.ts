// What the coordinator shows over HTTP: /metrics for Prometheus, /healthz for a supervisor, /api/status for people and programs;
// and, where the run lets it, /api/workers to change the number of replicas.
import fastify from 'fastify';
import { GanglionError, messageOf, systemErrorCode } from '../shared/error.ts';
import { CONTENT_TYPES, formatFor } from './exposition.ts';
import { addGuards, LIMITS } from './http-guards.ts';
import type { Metrics } from './metrics.ts';
import type { Status } from './status.ts';
import { addWorkersRoute } from './workers-route.ts';

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
}

/**
 * Listens on all interfaces, as Prometheus exporters do; everything but /api/workers is read-only.
 *
 * @throws GanglionError `environment` when the port is taken
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { port, metrics, status, shards, apiToken, resize } = options;
  const server = fastify({ forceCloseConnections: true, ...LIMITS });
  addGuards(server);
  server.get('/metrics', async ({ headers }, reply) => {
    const format = formatFor(headers.accept);
    return reply
      .type(CONTENT_TYPES[format])
      .header('vary', 'accept')
      .send(await metrics.text(format));
  });
  server.get('/healthz', async (_, reply) => {
    const { healthy, state } = status();
    return reply.code(healthy ? 200 : 503).send({ status: healthy ? 'ok' : 'stalled', state });
  });
  server.get('/api/status', async () => status());
  if (resize) addWorkersRoute(server, { resize, shards, apiToken });
  try {
    await server.listen({ port, host: '::' });
  } catch (error) {
    if (systemErrorCode(error) === 'EAFNOSUPPORT') await listenOn4(server, port);
    else throw toPortError(port, error);
  }
  const address = server.server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () => server.close(),
  };
}

/** For machines without IPv6. */
async function listenOn4(server: ReturnType<typeof fastify>, port: number): Promise<void> {
  try {
    await server.listen({ port, host: '0.0.0.0' });
  } catch (error) {
    throw toPortError(port, error);
  }
}

function toPortError(port: number, error: unknown): GanglionError {
  const reason = systemErrorCode(error) === 'EADDRINUSE' ? 'it is in use' : messageOf(error);
  const message = `cannot listen on port ${port}: ${reason}; choose another with --metrics-port N, or --metrics-port off`;
  return new GanglionError('environment', message, { cause: error });
}
