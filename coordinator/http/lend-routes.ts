// How a page of a browser lends its processor: it asks for a ticket like everybody who changes the run, connects with that by a WebSocket,
// and is then the run's. Its worker, one script, and the kernels are served here.
import { randomBytes } from 'node:crypto';
import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type WebSocket, WebSocketServer } from 'ws';
import { messageOf } from '../../shared/error.ts';
import { LEND_PATH, LEND_PROTOCOL } from '../../shared/page-protocol.ts';
import { readModules, readWasm, toScript } from '../files/page-modules.ts';
import { addChangingRoute, checkEmptyBody, Refusal } from './access.ts';
import { keepOpen } from './connections.ts';
import { answerAlone, check, type Reach, withoutBase } from './guards.ts';

/** What the run does with pages. */
export interface Lending {
  /** Refuses a further one. @param expected pages that have a ticket @throws GanglionError */
  readonly admit: (expected: number) => void;
  /** Takes in a page that has connected. */
  readonly take: (socket: WebSocket) => void;
  /** Bytes of the largest message that a page may send. */
  readonly mostBytes: number;
  /** Folders, with a slash at their ends: modules that tsc has compiled for pages, and kernels in WebAssembly. */
  readonly folders: { readonly compiled: URL; readonly kernels: URL };
}

export interface LendRoutesOptions {
  readonly lending: Lending;
  readonly apiToken: string | null;
  readonly reach: Reach;
}

const ENTRY = 'dashboards/lend/worker.js';
const KERNELS = 'kernels.wasm';
/** From the ticket to the connection. */
const TICKET_MS = 10_000;
/** The worker compiles the kernels, and asks nobody but this server. */
const WORKER_POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";

/** Pages that may connect: a ticket is good once, and soon. */
class Tickets {
  readonly #untilMs = new Map<string, number>();

  /** Those that have not been used. */
  get count(): number {
    for (const [ticket, untilMs] of this.#untilMs) if (untilMs < performance.now()) this.#untilMs.delete(ticket);
    return this.#untilMs.size;
  }

  give(): string {
    const ticket = randomBytes(16).toString('hex');
    this.#untilMs.set(ticket, performance.now() + TICKET_MS);
    return ticket;
  }

  /** @returns whether it was good */
  use(ticket: string): boolean {
    return this.count > 0 && this.#untilMs.delete(ticket);
  }
}

/** Answers a request for another protocol, as of `curl --http2`, in this one. */
function answerPlainly(server: Server, request: IncomingMessage, socket: Socket): void {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.on('finish', () => socket.destroySoon());
  server.emit('request', request, response);
}

/**
 * Adds the routes. The returned function ends every connection that is left.
 *
 * @throws GanglionError `environment` when the worker or its kernels are missing
 */
export function addLendRoutes(server: FastifyInstance, { lending, apiToken, reach }: LendRoutesOptions): () => void {
  const tickets = new Tickets();
  addChangingRoute(server, {
    url: `/${LEND_PATH}`,
    apiToken,
    act(body) {
      checkEmptyBody(body);
      lending.admit(tickets.count);
      return { ticket: tickets.give() };
    },
  });
  const script = toScript(readModules(lending.folders.compiled, ENTRY), ENTRY);
  const wasm = readWasm(lending.folders.kernels)[KERNELS];
  server.get('/live/lend-worker.js', (_, reply) =>
    reply.header('content-security-policy', WORKER_POLICY).type('text/javascript; charset=utf-8').send(script),
  );
  server.get(`/live/${KERNELS}`, (_, reply) => reply.type('application/wasm').send(wasm));

  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: lending.mostBytes,
    perMessageDeflate: false,
    handleProtocols: () => LEND_PROTOCOL,
  });
  const open = new Set<Socket>();
  const upgrade = async (request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> => {
    const { url = '', headers } = request;
    const path = withoutBase(url, reach.basePath);
    const route = path === `/${LEND_PATH}` ? path : undefined;
    await check(request, { target: url, route, allowedHosts: reach.allowedHosts });
    if (!route) throw new Refusal(404, 'expected a path that is served');
    const [protocol, ticket = ''] = (headers['sec-websocket-protocol'] ?? '').split(/ *, */);
    if (protocol !== LEND_PROTOCOL) throw new Refusal(400, `expected the subprotocol ${LEND_PROTOCOL} and a ticket`);
    if (!tickets.use(ticket))
      throw new Refusal(403, `expected a ticket that POST ${route} has given and nobody has used`);
    keepOpen(socket);
    sockets.handleUpgrade(request, socket, head, lending.take);
  };
  server.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    // Node has let go of the connection: it neither hears its errors nor ends it.
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    for (const event of ['error', 'timeout']) socket.on(event, () => socket.destroy());
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') return answerPlainly(server.server, request, socket);
    upgrade(request, socket, head).catch((error: unknown) => {
      answerAlone(socket, error instanceof Refusal ? error.statusCode : 500, messageOf(error));
    });
  });
  return () => {
    for (const socket of open) socket.destroy();
  };
}
