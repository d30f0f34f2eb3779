// A server of a run for tests, and raw sockets to it where fetch would be too polite.
import { connect } from 'node:net';
import { onTestFinished } from 'vitest';
import { type HttpOptions, startHttp } from '../../../../coordinator/http/server.ts';
import { createMetrics } from '../../../../coordinator/monitoring/metrics.ts';
import { StatusKeeper } from '../../../../coordinator/monitoring/status.ts';

/** Serves a run of 4 shards until the test ends. @returns the port */
export async function served(options: Partial<HttpOptions> = {}): Promise<number> {
  const replicas = () => [];
  const place = { run: 'runs/a', backend: 'cpu', step: 0, epoch: 0, steps: 9, batch: 10 } as const;
  const status = new StatusKeeper({ ...place, table: { nodes: [], replicas: [] } });
  const metrics = createMetrics({ batch: 10, replicas, info: { node: 'v20' } });
  const server = await startHttp({
    ...{ port: 0, metrics, status: () => status.status, shards: 4, apiToken: null, resize: () => {} },
    ...options,
  });
  onTestFinished(() => server.close());
  return server.port;
}

/** Sends bytes as they are; resolves with all that comes back until the server closes or says no more. */
export function exchange(
  port: number,
  request: string,
  address = '127.0.0.1',
): Promise<{ status: number; head: string; body: string }> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    let answer = '';
    socket.setTimeout(200, () => socket.end());
    socket.on('data', (data) => {
      answer += data;
    });
    socket.on('error', () => {}); // closed while this side still sends
    socket.on('close', () => {
      const [head = '', body = ''] = answer.split('\r\n\r\n', 2);
      resolve({ status: Number(head.split(' ')[1]), head: head.toLowerCase(), body });
    });
    socket.write(request);
  });
}

export const requestOf = (line: string, ...headers: string[]) =>
  [`${line} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...headers, '', ''].join('\r\n');
