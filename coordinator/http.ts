// What the coordinator shows over HTTP: /metrics for Prometheus, /healthz for a supervisor, /api/status for people and programs.
import fastify from 'fastify';
import { GanglionError, messageOf, systemErrorCode } from '../shared/error.ts';
import type { Metrics } from './metrics.ts';
import type { Status } from './status.ts';

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Listens on all interfaces, as Prometheus exporters do; everything is read-only.
 *
 * @param port 0 picks a free one
 * @throws GanglionError `environment` when the port is taken
 */
export async function startHttp(port: number, metrics: Metrics, status: () => Status): Promise<HttpServer> {
  const server = fastify({ forceCloseConnections: true });
  server.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  server.get('/healthz', async (_, reply) => {
    const { healthy, state } = status();
    return reply.code(healthy ? 200 : 503).send({ status: healthy ? 'ok' : 'stalled', state });
  });
  server.get('/api/status', async () => status());
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
