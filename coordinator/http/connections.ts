// Keeps room for new connections: who opens many and leaves them idle, or reads slowly, shuts nobody out.
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { openFilesLimit } from '../machine/open-files.ts';

const HEADER_LIMIT = 8 * 1024;
/** Deadline for a whole request. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Idle connections of a scraper and of a browser are opened again when they are needed. */
const KEEP_ALIVE_MS = 10_000;
/** Who reads nothing of an answer for so long gets no more. */
const SILENCE_MS = 30_000;
const MOST_CONNECTIONS = 512;
const MOST_WAITING = 8;

/** A server of HTTP with limits. */
export function createLimitedServer(handler: RequestListener): Server {
  const server = createServer(
    {
      maxHeaderSize: HEADER_LIMIT,
      headersTimeout: REQUEST_TIMEOUT_MS / 2,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: REQUEST_TIMEOUT_MS / 10,
    },
    (request, response) => {
      // Hundreds of requests can come in one piece, behind the one for which the connection was closed.
      if (!request.socket.destroyed) handler(request, response);
    },
  );
  server.setTimeout(SILENCE_MS);
  // Half of the files that the system lets this process open: the run needs the others.
  const most = Math.min(MOST_CONNECTIONS, Math.floor(openFilesLimit() / 2));
  limitConnections(server, { most, mostWaiting: MOST_WAITING });
  return server;
}

export interface ConnectionLimits {
  /** Connections open at once. */
  readonly most: number;
  /** Requests of one connection that wait for an answer: no browser and no scraper sends a second one before the first is answered. */
  readonly mostWaiting: number;
}

interface Connection {
  readonly address: string;
  /** Requests that wait for an answer, or for somebody to read it. */
  waiting: number;
}

/** Connections that make room for no other. */
const kept = new WeakSet<Socket>();

/** Lets a connection be, that is idle for as long as nobody asks it for anything. */
export function keepOpen(socket: Socket): void {
  kept.add(socket);
}

/**
 * Holds a server to its limits. When all connections are taken, a new one takes the place of another of the address that holds the most:
 * of the one that has been idle for longest, or where none is idle, of the one whose answer was begun first.
 */
export function limitConnections(server: Server, { most, mostWaiting }: ConnectionLimits): void {
  /** The least recently used first. */
  const open = new Map<Socket, Connection>();

  const makeRoom = (): void => {
    const counts = new Map<string, number>();
    const others = [...open].filter(([socket]) => !kept.has(socket));
    for (const [, { address }] of others) counts.set(address, (counts.get(address) ?? 0) + 1);
    const largest = Math.max(...counts.values());
    const candidates = others.filter(([, { address }]) => counts.get(address) === largest);
    const [socket] = candidates.find(([, { waiting }]) => waiting === 0) ?? candidates[0] ?? [];
    if (!socket) return;
    open.delete(socket);
    socket.destroy();
  };
  const use = (socket: Socket, change: 1 | -1): void => {
    const connection = open.get(socket);
    if (!connection) return;
    connection.waiting += change;
    open.delete(socket);
    open.set(socket, connection);
    if (connection.waiting > mostWaiting) socket.destroy();
  };

  server.on('connection', (socket: Socket) => {
    if (open.size >= most) makeRoom();
    open.set(socket, { address: socket.remoteAddress ?? '', waiting: 0 });
    socket.on('close', () => open.delete(socket));
  });
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    use(socket, 1);
    response.on('close', () => use(socket, -1));
  });
}
