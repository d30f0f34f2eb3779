// Who opens many connections shuts nobody out: /healthz answers on.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { keepOpen, limitConnections } from '../../../../coordinator/http/connections.ts';
import { exchange, requestOf, served } from './raw-http.ts';

/** Opens connections that stay, each with the same start. @returns how many were closed by the server since */
async function crowd(port: number, count: number, start: string, address = '127.0.0.1') {
  const state = { closed: 0 };
  const sockets = Array.from({ length: count }, () => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: address });
    if (start !== '') socket.write(start);
    return socket.on('error', () => {}).on('close', () => state.closed++);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  return { state, sockets };
}

const healthz = async (port: number) => (await exchange(port, requestOf('GET /healthz'))).status;
const KEPT = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('512 connections, and not one more: /healthz answers beside', () => {
  it.each([
    ['that never say a word', ''],
    ['kept alive after an answer', KEPT],
    ['in the middle of their headers', 'GET /metrics HTTP/1.1\r\nHost: loc'],
    ['that read nothing of their answer', requestOf('GET /metrics').repeat(3)],
  ])('%s', async (_, start) => {
    const port = await served();
    const { state, sockets } = await crowd(port, 520, start);
    for (const socket of sockets) socket.resume();
    await expect.poll(() => state.closed).toBeGreaterThanOrEqual(8);
    for (let i = 0; i < 3; i++) expect(await healthz(port)).toBe(200);
  });
});

/** A server of so many connections that answers /slow never. */
async function small(
  most: number,
  onConnection: (socket: Socket) => unknown = () => {},
): Promise<{ port: number; answers: () => number }> {
  let waiting = 0;
  const server = createServer(({ url }, response) => {
    if (url !== '/slow') response.end('ok');
    else waiting += 1;
  });
  limitConnections(server, { most, mostWaiting: 4 });
  server.on('connection', onConnection);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, answers: () => waiting };
}

const open = (sockets: readonly Socket[]) =>
  sockets.map(({ destroyed, readableEnded }) => !destroyed && !readableEnded);
const resume = (sockets: readonly Socket[]) => {
  for (const socket of sockets) socket.resume();
};

describe('a new connection takes the place', () => {
  it('of the one that has been idle for longest', async () => {
    const { port } = await small(3);
    const { sockets } = await crowd(port, 3, '');
    resume(sockets);
    await delay(50);
    sockets[0]?.write(KEPT); // now the second one is
    await delay(50);
    await crowd(port, 1, '');
    await expect.poll(() => open(sockets)).toEqual([true, false, true]);
  });

  it('of another one than one that is kept open', async () => {
    const { port } = await small(2, (socket) => socket.remoteAddress === '127.0.0.2' && keepOpen(socket));
    const kept = await crowd(port, 1, '', '127.0.0.2');
    const idle = await crowd(port, 1, '', '127.0.0.3');
    resume([...kept.sockets, ...idle.sockets]);
    await delay(50);
    await crowd(port, 1, '', '127.0.0.4');
    await expect.poll(() => open(idle.sockets)).toEqual([false]);
    expect(open(kept.sockets)).toEqual([true]);
  });

  it('of an idle one before one that waits for its answer', async () => {
    const { port, answers } = await small(3);
    const slow = await crowd(port, 2, 'GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await expect.poll(answers).toBe(2);
    const idle = await crowd(port, 1, '');
    resume([...slow.sockets, ...idle.sockets]);
    await delay(50);
    await crowd(port, 1, '');
    await expect.poll(() => open(idle.sockets)).toEqual([false]);
    expect(open(slow.sockets)).toEqual([true, true]);
  });

  it('of one whose answer takes long, where none is idle', async () => {
    const { port, answers } = await small(2);
    const slow = await crowd(port, 2, 'GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
    resume(slow.sockets);
    await expect.poll(answers).toBe(2);
    await crowd(port, 1, '');
    await expect.poll(() => open(slow.sockets).filter((isOpen) => isOpen)).toHaveLength(1);
  });

  it('of one from the address that has the most', async () => {
    const { port } = await small(4);
    const first = await crowd(port, 1, '', '127.0.0.2');
    const crowded = await crowd(port, 3, '', '127.0.0.3');
    resume([...first.sockets, ...crowded.sockets]);
    await delay(50);
    await crowd(port, 1, '', '127.0.0.4');
    await expect.poll(() => open(crowded.sockets).filter((isOpen) => !isOpen)).toHaveLength(1);
    expect(open(first.sockets)).toEqual([true]);
  });
});

it('a connection that asks on without an answer is closed', async () => {
  const { port, answers } = await small(3);
  const { sockets } = await crowd(port, 1, 'GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(9));
  resume(sockets);
  await expect.poll(() => open(sockets)).toEqual([false]);
  expect(answers()).toBeGreaterThan(3);
});
