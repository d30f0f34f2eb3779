// Rules for every request, whatever its route: limits, headers that let browsers do nothing with an answer but show it,
// names of this machine only, and 405 where a path is served by another method.
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { messageOf } from '../../shared/error.ts';
import { show, toJson } from '../../shared/printable.ts';
import { Refusal } from './access.ts';
import { createLimitedServer } from './connections.ts';
import { isAllowedHost, namesThisMachine } from './hosts.ts';

const BODY_LIMIT = 1024;
const READS = ['GET', 'HEAD'];
/** Scrapers and probes call by names of services, which no list here could know. */
const ANY_HOST = ['/metrics', '/healthz'];

/** A route that needs another one sets it. */
const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

const LIMITS = {
  bodyLimit: BODY_LIMIT,
  serverFactory: createLimitedServer,
  clientErrorHandler: answerNoRequest,
  frameworkErrors: (error: Error, _: FastifyRequest, reply: FastifyReply) => {
    reply
      .code(400)
      .headers(SECURITY_HEADERS)
      .send({ error: messageOf(error) }); // a URL that cannot be decoded
  },
} as const;

/** Answers what is not HTTP, or too large: no route sees it. */
function answerNoRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const statuses: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };
  const status = statuses[error.code ?? ''] ?? 400;
  answerAlone(socket, status, STATUS_CODES[status] ?? '');
}

/** Answers where there is no route that could, and ends the connection. */
export function answerAlone(socket: Duplex, status: number, message: string): void {
  const body = JSON.stringify({ error: message });
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
    ...SECURITY_HEADERS,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  if (socket.writable) socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  socket.destroy();
}

/** Under which names and paths a server is reached, as the settings have them. */
export interface Reach {
  /** Names beside this machine's own. */
  readonly allowedHosts: string | null;
  /** Path that a proxy leaves in the address. */
  readonly basePath: string | null;
}

/** A path as the routes know it. */
export function withoutBase(url: string, basePath: string | null): string {
  const base = basePath?.replace(/\/$/, '');
  return base !== undefined && url.startsWith(`${base}/`) ? url.slice(base.length) : url;
}

/** A server without routes, with the rules for every request. */
export function createServer({ allowedHosts, basePath }: Reach): FastifyInstance {
  const base = basePath?.replace(/\/$/, '');
  const server = fastify({
    forceCloseConnections: true,
    rewriteUrl: ({ url = '' }) => withoutBase(url, basePath),
    ...LIMITS,
  });
  server.setReplySerializer((answer) => toJson(answer));
  const methods = new Map<string, Set<string>>();
  server.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    for (const name of [method].flat()) known.add(name);
    methods.set(url, known);
  });
  server.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    const { raw, originalUrl, routeOptions } = request;
    await check(raw, { target: originalUrl, route: routeOptions.url, allowedHosts });
  });
  server.setErrorHandler((error, _, reply) => {
    if (!(error instanceof Refusal)) throw error;
    if (error.statusCode === 503) reply.header('retry-after', '1');
    return reply.code(error.statusCode).send({ error: error.message });
  });
  server.setNotFoundHandler((request, reply) => {
    // The page's addresses are relative to a folder.
    if (request.url === base) return reply.redirect(`${base}/`, 308);
    return answerNotFound(methods, request, reply);
  });
  return server;
}

/** What a request asks for, and the names that may be called. */
interface Asked {
  /** As it came. */
  readonly target: string;
  /** The route that takes it; undefined where there is none. */
  readonly route: string | undefined;
  readonly allowedHosts: string | null;
}

/**
 * Refuses what no route should see. Routes that change something check for themselves who may: for reading, it is enough that a page of
 * another site cannot point a name of its own at this machine (DNS rebinding) and read what only its own network should.
 *
 * @throws Refusal
 */
export async function check(
  { method = '', headers, rawHeaders }: Pick<IncomingMessage, 'method' | 'headers' | 'rawHeaders'>,
  { target, route, allowedHosts }: Asked,
): Promise<void> {
  if (rawHeaders.filter((text, i) => i % 2 === 0 && text.toLowerCase() === 'host').length > 1) {
    throw new Refusal(400, 'expected one Host, got several');
  }
  const reads = READS.includes(method);
  if (reads && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)) {
    throw new Refusal(413, `expected no body with ${method}`);
  }
  if (ANY_HOST.includes(route ?? '')) return;
  // A whole address as the target counts for more than Host (RFC 9112, 3.2.2). Every browser sends one of both.
  const host = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(target)?.[1] ?? headers.host;
  if (reads && host !== undefined && !isAllowedHost(host, allowedHosts) && !(await namesThisMachine(host))) {
    throw new Refusal(403, `expected this machine's name or address as Host, got ${show(host)}; see --allowed-hosts`);
  }
  checkOrigin(headers.origin, host ?? '', allowedHosts);
}

/** The pages that may ask: this server's own, also where a proxy has put another Host. @throws Refusal */
function checkOrigin(origin: string | undefined, host: string, allowedHosts: string | null): void {
  if (origin === undefined) return;
  const [, site = ''] = /^https?:\/\/(.+)$/i.exec(origin) ?? [];
  if (site !== '' && (site.toLowerCase() === host.toLowerCase() || isAllowedHost(site, allowedHosts))) return;
  throw new Refusal(403, `expected no Origin but http://${host.toLowerCase()}, got ${show(origin)}`);
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
