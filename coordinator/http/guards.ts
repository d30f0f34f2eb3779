// Rules for every request, whatever its route: limits, headers that let browsers do nothing with an answer but show it,
// names of this machine only, and 405 where a path is served by another method.
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isLoopback, namesThisMachine } from './access.ts';

const BODY_LIMIT = 1024;
const HEADER_LIMIT = 8 * 1024;
/** Deadline for a whole request. */
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 512;
const READS = ['GET', 'HEAD'];

/** A route that needs another one sets it. */
const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

/** For `fastify()`. */
export const LIMITS = {
  bodyLimit: BODY_LIMIT,
  requestTimeout: REQUEST_TIMEOUT_MS,
  http: {
    maxHeaderSize: HEADER_LIMIT,
    headersTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: REQUEST_TIMEOUT_MS / 2,
  },
  clientErrorHandler: answerNoRequest,
  frameworkErrors: (error: Error, _: FastifyRequest, reply: FastifyReply) => {
    reply.code(400).headers(SECURITY_HEADERS).send({ error: error.message }); // a URL that cannot be decoded
  },
} as const;

/** Answers what is not HTTP, or too large: no route sees it. */
function answerNoRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const statuses: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };
  const status = statuses[error.code ?? ''] ?? 400;
  const body = JSON.stringify({ error: STATUS_CODES[status] });
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': body.length,
    connection: 'close',
    ...SECURITY_HEADERS,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  if (socket.writable) socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  socket.destroy(error);
}

/**
 * Adds the hooks. Routes that change something check for themselves who may: for reading, it is enough that a page of another site
 * cannot point a name of its own at this machine (DNS rebinding) and read what only this machine should. From elsewhere the
 * coordinator may be called by any name, as containers and proxies do.
 */
export function addGuards(server: FastifyInstance): void {
  server.server.maxConnections = MAX_CONNECTIONS;
  const methods = new Map<string, Set<string>>();
  server.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    for (const name of [method].flat()) known.add(name);
    methods.set(url, known);
  });
  server.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    const refusal = refusalOf(request);
    if (refusal) return reply.code(refusal.status).send({ error: refusal.error });
  });
  server.setNotFoundHandler((request, reply) => answerNotFound(methods, request, reply));
}

function refusalOf({ method, ip, headers }: FastifyRequest): { status: number; error: string } | undefined {
  if (!READS.includes(method)) return undefined;
  // Every browser sends it.
  if (headers.host !== undefined && isLoopback(ip) && !namesThisMachine(headers.host)) {
    const got = JSON.stringify(headers.host).slice(0, 80);
    return { status: 403, error: `expected this machine's name or address as Host, got ${got}` };
  }
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0) {
    return { status: 413, error: `expected no body with ${method}` };
  }
  return undefined;
}

function answerNotFound(
  methods: ReadonlyMap<string, ReadonlySet<string>>,
  { url, method }: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const [path = ''] = url.split('?', 1);
  const allowed = methods.get(path);
  if (!allowed || allowed.has(method)) return reply.code(404).send({ error: 'expected a path that is served' });
  const allow = [...allowed].toSorted().join(', ');
  return reply
    .code(405)
    .header('allow', allow)
    .send({ error: `expected ${allow}, got ${method}` });
}
